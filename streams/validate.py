"""`journeys validate`: what INGEST would do with each line, without feeding anything."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from time import time
from typing import Any

import msgspec

from schemas.internal import Touch
from schemas.keys import hasher
from schemas.topics import DEAD
from streams.core import Record, Rows, StepConfig
from streams.ingest.step import Ingest
from streams.run import as_output
from streams.settings import Settings

_touch = msgspec.msgpack.Decoder(Touch).decode


@dataclass(frozen=True)
class Finding:
    """One line that would be refused, or accepted but given to nobody."""

    line: int  # of those that are not blank, from 1
    reason: str  # a dead letter's, or `unattributed`
    field: str
    error: str

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)

    def __str__(self) -> str:
        """For people."""
        return (
            f"line {self.line}: {self.reason}"
            + (f" ({self.field})" if self.field else "")
            + f": {self.error}"
        )


def findings(lines: Iterable[bytes], settings: Settings) -> Iterator[Finding | None]:
    """For each line what is to be said of it, if anything."""
    step = Ingest(
        StepConfig(
            partition=0,
            partitions=1,
            generation=0,
            key_of=hasher(settings.hash_key),
            live=False,
            settings={"trust_headers": settings.trust_headers},
        )
    )
    now = int(time() * 1000)
    for number, line in enumerate(lines, 1):
        fed = as_output(line, 0)
        record = Record(fed.topic, 0, number, now, None, fed.value, fed.headers)
        first = step.apply(Rows(), [record], b"", now)[0]
        if first.topic == DEAD.name:
            told = {name: value.decode() for name, value in first.headers}
            yield Finding(number, told["reason"], told["field"], told["error"])
        elif not _touch(first.value or b"").identifier:
            yield Finding(number, "unattributed", "identifiers", "no value in it names a person or a firm")
        else:
            yield None
