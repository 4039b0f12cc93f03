"""Refused records: what a dead letter carries and why a record can be refused."""

from hashlib import sha256
from typing import Final

REASONS: Final = (
    "not_json",
    "not_an_object",
    "missing_field",
    "wrong_type",
    "bad_time",
    "too_large",
    "no_identifier",
    "tenant_mismatch",
    "erased",
    "no_handoff",
    "impossible_outcome",
    "processing_error",
    "refused_by_clickhouse",
)

PREFIX_BYTES = 65_536  # of an oversized record this much is kept

Headers = tuple[tuple[str, bytes], ...]


def headers(
    *,
    reason: str,
    field: str,
    error: str,
    topic: str,
    partition: int,
    offset: int,
    generation: int,
    original: bytes,
    tenant: str = "",
) -> Headers:
    """The headers of a dead letter; (generation, topic, partition, offset) name the refused record.

    `tenant`: whose it is, where that is known and the bytes may not tell it.
    The generation tells embedded brokers apart, whose offsets begin at 0 at every start.
    """
    pairs = [
        ("reason", reason),
        ("field", field),
        ("error", error[:2_000]),
        ("topic", topic),
        ("partition", str(partition)),
        ("offset", str(offset)),
        ("generation", str(generation)),
    ]
    if tenant:
        pairs.append(("tenant", tenant))
    if len(original) > PREFIX_BYTES:
        pairs += [("size", str(len(original))), ("sha256", sha256(original).hexdigest())]
    return tuple((name, value.encode("utf-8", "replace")) for name, value in pairs)
