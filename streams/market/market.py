"""The simulated market: lines in order of arrival and the truth beside them; all follows from the seed."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from random import Random
from typing import BinaryIO, Final

from schemas.times import DAY_MS
from streams.market import rates
from streams.market.arrivals import LIMIT, Arrivals
from streams.market.cast import Casting
from streams.market.noise import Noise
from streams.market.oracle import judge
from streams.market.plots import story
from streams.market.scene import Event, Scene
from streams.market.together import Word
from streams.market.truth import Counts, Record, Truth, read_truth

_CHUNK: Final = 2_000  # lines written at once


class Market:
    """A market of exactly `touchpoints` lines, the same for the same seed.

    `lines` can be read once; the truth is there when it is read to its end (RuntimeError before).

    >>> market = Market(200, seed=7)
    >>> lines = list(market.lines())
    >>> len(lines), market.truth().counts.lines
    (200, 200)
    """

    def __init__(self, touchpoints: int, seed: int, *, limit: int = LIMIT) -> None:
        self.touchpoints = touchpoints
        self.seed = seed
        self._limit = limit
        self._record = Record()
        self._counts: Counts | None = None

    def lines(self) -> Iterator[bytes]:
        """The lines (JSON, without newline) in order of arrival."""
        rng = Random(self.seed)
        casting = Casting(rng)
        difficulties: dict[str, int] = {}
        noise = Noise(rng, difficulties)
        made = applied = said = erased = number = 0
        with Arrivals(self._limit) as arrivals:
            while made < self.touchpoints:
                start = rates.START_MS + rates.OPENINGS_MS * made // self.touchpoints // DAY_MS * DAY_MS
                yield from arrivals.before(start)
                scene = Scene(casting, difficulties, number)
                story(scene, start)
                number = scene.number
                told: list[Event | Word] = [*scene.events, *scene.words]
                told = sorted(told, key=lambda one: one.at)[: self.touchpoints - made]
                events = [one for one in told if isinstance(one, Event)]
                words = [one for one in told if isinstance(one, Word)]
                verdict = judge(events, words)
                self._record.add(verdict)
                lines = noise.arrive(events, self.touchpoints - made - len(told)) + noise.say(words)
                erased += len(verdict.erased) + sum(event in verdict.erased for event in noise.twice)
                arrivals.add(lines)
                made += len(lines)
                said += len(words)
                applied += sum(not event.copy for event in events) + len(words)
            yield from arrivals.rest()
        self._finish(made, applied, said, erased, noise, difficulties)

    def _finish(
        self, made: int, applied: int, said: int, erased: int, noise: Noise, difficulties: dict[str, int]
    ) -> None:
        visits = {"known": 0, "other_person": 0, "firm_only": 0, "nobody": 0, **self._record.visits}
        visits["nobody"] += noise.worthless
        self._counts = Counts(
            lines=made,
            applied=applied + noise.worthless,
            duplicates=noise.duplicates,
            dead_letters=noise.dead_letters,
            visits=visits,
            unattributed=visits["nobody"],
            difficulties=dict(sorted(difficulties.items())),
            said=said,
            erased=erased,
        )

    def write_truth(self, file: BinaryIO) -> None:
        """The truth file (JSON)."""
        if self._counts is None:
            raise RuntimeError("the truth is known when all lines have been read")
        self._record.write(file, self.touchpoints, self.seed, self._counts)

    def truth(self) -> Truth:
        """The truth as an object."""
        file = BytesIO()
        self.write_truth(file)
        return read_truth(file.getvalue())


def write(out: Path, truth: Path, *, touchpoints: int, seed: int) -> None:
    """Writes a market as JSONL to `out` and its truth as JSON to `truth`; OSError where that fails."""
    market = Market(touchpoints, seed)
    chunk: list[bytes] = []
    with out.open("wb") as file:
        for line in market.lines():
            chunk.append(line)
            if len(chunk) == _CHUNK:
                file.write(b"\n".join(chunk) + b"\n")
                chunk = []
        file.writelines(line + b"\n" for line in chunk)
    with truth.open("wb") as file:
        market.write_truth(file)
