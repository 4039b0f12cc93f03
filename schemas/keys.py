"""Record keys and partitions: computed here and nowhere else.

A key is a keyed hash of a tuple, so that no e-mail address ever is a Kafka key and no two tuples share a
key by the way their parts are joined. The partition follows from the key's first bytes; producers always
name it explicitly, so no client's partitioner matters.
"""

from collections.abc import Callable
from hashlib import blake2b

import msgspec

KEY_BYTES = 16  # length of every key

_pack = msgspec.msgpack.Encoder().encode


def hasher(secret: str) -> Callable[..., bytes]:
    """A function from parts (text) to a key of 16 bytes, keyed with `secret` (at most 64 bytes of UTF-8).

    Every process that works on the same topics must use the same secret.

    >>> key_of = hasher("s")
    >>> key_of("acme", "email", "jane@acme.nl") == hasher("s")("acme", "email", "jane@acme.nl")
    True
    >>> key_of("a", "bc") == key_of("ab", "c")
    False
    """
    keyed = blake2b(digest_size=KEY_BYTES, key=secret.encode())

    def key_of(*parts: str) -> bytes:
        hashed = keyed.copy()  # a third faster than a new one with the key
        hashed.update(_pack(parts))
        return hashed.digest()

    return key_of


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, out of `partitions`.

    >>> partition_of(bytes([0, 0, 0, 9]) + bytes(12), 8)
    1
    """
    return int.from_bytes(key[:4], "big") % partitions


def event_key(key_of: Callable[..., bytes], tenant: str, source: str, event_id: str) -> bytes:
    """What stands for an event that was erased: eight bytes of a keyed hash."""
    return key_of(tenant, "event", source, event_id)[:8]


def erased_name(key: bytes) -> str:
    """What stands for an identifier that was erased: no identifier looks like it.

    >>> erased_name(bytes(16))
    '#00000000000000000000000000000000'
    """
    return f"#{key.hex()}"


def identifier_key(key_of: Callable[..., bytes], tenant: str, identifier: str) -> bytes:
    """The key of an identifier, also of one that is erased.

    >>> key_of = hasher("s")
    >>> key = identifier_key(key_of, "acme", "email:jane@acme.nl")
    >>> identifier_key(key_of, "acme", erased_name(key)) == key
    True
    """
    return bytes.fromhex(identifier[1:]) if identifier.startswith("#") else key_of(tenant, identifier)
