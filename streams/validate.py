"""`journeys validate`: what INGEST would do with each line, without feeding anything."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from time import time
from typing import Any

import msgspec

from schemas.internal import ACCOUNT_KINDS, STRONG_KINDS, WEAK_KINDS, Touch
from schemas.keys import hasher
from schemas.topics import DEAD, TOUCHPOINTS
from streams.core import Record, Rows, StepConfig
from streams.ingest.step import Ingest
from streams.ingest.values import nameless
from streams.run import as_output
from streams.settings import Settings

KINDS = {"identifiers": (*STRONG_KINDS, *WEAK_KINDS), "account": ACCOUNT_KINDS}

_touch = msgspec.msgpack.Decoder(Touch).decode


@dataclass(frozen=True)
class Finding:
    """One line that would be refused, or accepted but given to nobody."""

    line: int  # in the file, from 1
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


def findings(
    lines: Iterable[tuple[int, bytes]], settings: Settings, unknown: Counter[str]
) -> Iterator[Finding | None]:
    """For each numbered line what is to be said of it, if anything. `unknown` counts types not known."""
    step = Ingest(
        StepConfig(
            partition=0,
            partitions=1,
            generation=0,
            key_of=hasher(settings.hash_key),
            live=False,
            settings=settings.of_steps,
        )
    )
    now = int(time() * 1000)
    for number, line in lines:
        fed = as_output(line, 0)
        record = Record(fed.topic, 0, number, now, None, fed.value, fed.headers)
        first = step.apply(Rows(), [record], b"", now)[0]
        if first.topic == DEAD.name:
            told = {name: value.decode() for name, value in first.headers}
            yield Finding(number, told["reason"], told["field"], told["error"])
            continue
        if fed.topic != TOUCHPOINTS.name:
            yield None
            continue
        made = _touch(first.value or b"")
        if made.type_name:
            unknown[made.type_name] += 1
        yield None if made.identifier else _unattributed(number, made)


def _unattributed(number: int, made: Touch) -> Finding:
    """The strongest field that is there and names nobody; a null is kept nowhere, so it cannot be named."""
    for where, kinds in KINDS.items():
        values = made.extra.get(where) or {}
        for kind in kinds:
            if kind in values:
                field, value = f"{where}.{kind}", values[kind]
                shown = json.dumps(value, ensure_ascii=False)
                return Finding(number, "unattributed", field, f"{field}: {shown} {nameless(kind, value)}")
    return Finding(number, "unattributed", "", "every identifier and account key is null")
