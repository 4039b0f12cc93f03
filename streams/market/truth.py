"""The truth file: what a simulated market contains, as far as its events make it knowable."""

from typing import BinaryIO, Final

import msgspec

from schemas.times import rfc3339
from streams.market.oracle import Contact, Verdict


class Journey(msgspec.Struct):
    """One journey: the time (RFC 3339) at which each stage was entered."""

    stages: dict[str, str]


class TrueAccount(msgspec.Struct):
    """One account; `members` are ids of contacts."""

    keys: list[str]  # kind:value; none for an account of kind person
    kind: str  # organisation, person
    members: list[str]
    journeys: list[Journey]


class Counts(msgspec.Struct):
    """What was sent. `lines` = `applied` + `duplicates` + the sum of `dead_letters`."""

    lines: int
    applied: int
    duplicates: int
    dead_letters: dict[str, int]
    visits: dict[str, int]  # touches: of a known person; of one taken for another; of a firm only; of nobody
    unattributed: int  # touches of neither a person nor a firm
    difficulties: dict[str, int]  # how often each happened
    said: int = 0  # of `applied`: what people said and asked for, on other topics
    erased: int = 0  # lines of people who were erased; what comes after the erasure is refused


class Truth(msgspec.Struct):
    """The whole truth file."""

    touchpoints: int
    seed: int
    counts: Counts
    contacts: list[Contact]
    accounts: list[TrueAccount]
    gone: list[str] = []  # strong identifiers of which nothing is left after an erasure


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Truth).decode


class Record:
    """Collects the truth story by story, as JSON text, so that a large market stays small in memory."""

    def __init__(self) -> None:
        self._contacts: list[bytes] = []
        self._accounts: list[bytes] = []
        self._gone: list[str] = []
        self.visits: dict[str, int] = {}

    def add(self, verdict: Verdict) -> None:
        """The truth of one story."""
        for sort, count in verdict.visits.items():
            self.visits[sort] = self.visits.get(sort, 0) + count
        self._gone += verdict.gone
        if verdict.contacts:
            self._contacts.append(_encode(verdict.contacts)[1:-1])
        if verdict.accounts:
            accounts = [
                TrueAccount(
                    a.keys,
                    a.kind,
                    a.members,
                    [Journey({stage: rfc3339(at) for stage, at in stages.items()}) for stages in a.journeys],
                )
                for a in verdict.accounts
            ]
            self._accounts.append(_encode(accounts)[1:-1])

    def write(self, file: BinaryIO, touchpoints: int, seed: int, counts: Counts) -> None:
        """The truth file, one story's contacts or accounts a line."""
        file.write(
            b'{"touchpoints":%d,"seed":%d,"counts":%b,"contacts":[\n' % (touchpoints, seed, _encode(counts))
        )
        file.write(
            b",\n".join(self._contacts)
            + b'\n],"accounts":[\n'
            + b",\n".join(self._accounts)
            + b'\n],"gone":'
            + _encode(self._gone)
            + b"}\n"
        )


def read_truth(text: bytes) -> Truth:
    """The truth file; msgspec.DecodeError where it is none."""
    return _decode(text)
