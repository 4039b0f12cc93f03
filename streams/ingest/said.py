"""What people say of identities and ask for themselves: normalised, and refused where it can mean nothing."""

from collections.abc import Mapping
from typing import Final

from schemas.assertion import DEFAULT_BY, KINDS, Assertion
from schemas.internal import ACCOUNT_KINDS, STRONG_KINDS, WEAK_KINDS, Asserted, Request, kind_of
from schemas.message import ID_BYTES, RefusedError, show
from schemas.privacy import KINDS as PERSONAL
from schemas.privacy import PrivacyRequest
from streams.ingest.values import Spelling, label, nameless, required

_ABOUT: Final[Mapping[str, str]] = {
    **dict.fromkeys((*STRONG_KINDS, "journeys_contact_id"), "person"),
    **dict.fromkeys(WEAK_KINDS, "device"),
    **dict.fromkeys((*ACCOUNT_KINDS, "journeys_account_id"), "account"),
}
_PAIRS: Final = (["person", "person"], ["device", "person"], ["account", "account"])  # each sorted
_OF_ACCOUNTS: Final = ("alias", "parent")


def asserted(said: Assertion, tenant: str, spelling: Spelling, at: int) -> Asserted:
    """The statement; RefusedError where it names nothing, one thing twice, or what is no pair."""
    kind = said["assertion"]
    required(said["event_id"], "event_id")
    by = label(said.get("by"), "by", ID_BYTES) or DEFAULT_BY
    a, b = _named("a", said["a"], spelling), _named("b", said["b"], spelling)
    if a == b:
        raise RefusedError("wrong_type", "b", f"{show(said['b'])} is the same as a; name two different ones")
    pair = sorted((_ABOUT[kind_of(a)], _ABOUT[kind_of(b)]))
    if pair not in _PAIRS:
        raise RefusedError(
            "wrong_type",
            "b",
            f"{' and '.join(pair)} are no pair: name two people, a device and a person, or two accounts",
        )
    if kind in _OF_ACCOUNTS and pair != ["account", "account"]:
        raise RefusedError("wrong_type", "assertion", f"{show(kind)} is of accounts; send link for people")
    return Asserted(tenant, said["event_id"], kind, a, b, at, by)


def _named(field: str, given: Mapping[str, str | float | bool | None], spelling: Spelling) -> str:
    """The one thing that `given` names."""
    if len(given) > 1:
        raise RefusedError("wrong_type", field, f"names {len(given)} things, send exactly one: {show(given)}")
    for kind, value in given.items():
        if kind in KINDS:
            return _usable(f"{field}.{kind}", kind, value, spelling)
    raise RefusedError("no_identifier", field, f"send one of {', '.join(KINDS)}")


def _usable(name: str, kind: str, value: str | float | bool | None, spelling: Spelling) -> str:
    """The identifier, where it is one; what is worthless on a touch is an error where somebody names it."""
    found = "" if value is None else spelling.identified(name, kind, value).identifier
    if not found:
        raise RefusedError("no_identifier", name, f"{show(value)} {nameless(kind, value)}")
    return found


def request(said: PrivacyRequest, tenant: str, spelling: Spelling, at: int) -> Request:
    """The request; RefusedError where it names nobody.

    A null says nothing, any other value that names nobody is an error: what was meant would stay.
    """
    required(said["event_id"], "event_id")
    found: list[str] = []
    for kind in PERSONAL:
        values = said["identifiers"].get(kind)
        for value in values if isinstance(values, list) else [values]:
            if value is not None:
                found.append(_usable(f"identifiers.{kind}", kind, value, spelling))
    if not found:
        raise RefusedError("no_identifier", "identifiers", f"send at least one of {', '.join(PERSONAL)}")
    return Request(tenant, said["event_id"], said["request"], list(dict.fromkeys(found)), at)
