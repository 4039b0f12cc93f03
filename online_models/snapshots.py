"""What a model remembers, as bytes with a name and a version: what is not known is refused, never guessed."""

from typing import TypeVar

import msgspec

State = TypeVar("State", bound=msgspec.Struct)


class UnreadableError(ValueError):
    """A snapshot that is not of this model, or of a version that this code does not know."""


def pack(model: str, version: int, state: msgspec.Struct) -> bytes:
    """The state of a model as bytes."""
    return msgspec.msgpack.encode((model, version, state))


def unpack(data: bytes, model: str, version: int, kind: type[State]) -> State:
    """The state in a snapshot of `model` that was taken by this version.

    >>> class Count(msgspec.Struct):
    ...     n: int
    >>> unpack(pack("count", 1, Count(3)), "count", 1, Count)
    Count(n=3)
    >>> unpack(pack("count", 2, Count(3)), "count", 1, Count)
    Traceback (most recent call last):
    online_models.snapshots.UnreadableError: a snapshot of count in version 2: this program reads version 1
    """
    try:
        found, told, state = msgspec.msgpack.decode(data, type=tuple[str, int, msgspec.Raw])
    except msgspec.DecodeError as error:
        raise UnreadableError(f"not a snapshot of {model}: {error}") from error
    if found != model:
        raise UnreadableError(f"a snapshot of {found}, not of {model}")
    if told != version:
        raise UnreadableError(
            f"a snapshot of {model} in version {told}: this program reads version {version}"
        )
    try:
        return msgspec.msgpack.decode(state, type=kind)
    except msgspec.DecodeError as error:
        raise UnreadableError(f"a damaged snapshot of {model}: {error}") from error
