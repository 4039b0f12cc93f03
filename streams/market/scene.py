"""One story being written: its events in JSON with, beside each, what is true of it."""

from random import Random
from typing import Final

import msgspec

from schemas.times import DAY_MS, rfc3339
from streams.market import rates, words
from streams.market.cast import Casting, Ids, Person, seen_as
from streams.market.together import Word

_DAYS: Final = tuple(
    rfc3339(at)[:11] for at in range(rates.START_MS, rates.END_MS + 1, DAY_MS)
)  # "2024-01-01T"
_MINUTES: Final = tuple(f"{n // 60:02d}:{n % 60:02d}:" for n in range(1440))
_SECONDS: Final = tuple(f"{n:02d}" for n in range(60))
_FRACTIONS: Final = ("Z", *(f".{n:03d}Z" for n in range(1, 1000)))

_PAGE_TYPES: Final = (
    *("page_viewed",) * 9, *("product_viewed",) * 4, "site_searched", "price_viewed", "price_viewed",
    "howto_viewed", "faq_viewed", "offer_viewed", "cart_updated",
)  # fmt: skip
_NO_TOUCH: Final = frozenset(("identified", "profile_updated", "consent_given", "consent_withdrawn"))
NOBODY: Final = -1  # the true person of a visit whose visitor is not part of the story


def stamp(at: int) -> str:
    """Milliseconds between the first and the last possible event as RFC 3339 in UTC, by table.

    >>> stamp(1_738_570_324_050)
    '2025-02-03T08:12:04.050Z'
    """
    day, rest = divmod(at - rates.START_MS, DAY_MS)
    minute, rest = divmod(rest, 60_000)
    second, fraction = divmod(rest, 1000)
    return f"{_DAYS[day]}{_MINUTES[minute]}{_SECONDS[second]}{_FRACTIONS[fraction]}"


def _named(name: str) -> str:
    kind, _, value = name.partition(":")
    return f'{{"{kind}":"{value}"}}'


class Event(msgspec.Struct, gc=False):
    """One accepted event: its line, and what the oracle may know of it."""

    at: int
    source: str
    event_id: str
    type: str
    topic: str
    person: int  # who it really was: Person.number, or NOBODY
    line: str
    strong: tuple[str, ...]
    weak: tuple[str, ...]
    keys: tuple[str, ...]  # account keys on it, strongest first; of a role mailbox its domain
    by_person: bool = True  # actor is person
    profiling: bool | None = None  # what it says of the consent to profiling
    copy: bool = False  # a resend of an earlier event with stronger identifiers

    @property
    def is_touch(self) -> bool:
        """False where the event tells facts only."""
        return self.type not in _NO_TOUCH


class Scene:
    """Collects the events of one story. `difficulties` counts what happened, by name."""

    def __init__(self, casting: Casting, difficulties: dict[str, int], number: int) -> None:
        self.casting = casting
        self.rng: Random = casting.rng
        self.random = casting.rng.random
        self.number = number  # of the last event; ids count on from story to story
        self.events: list[Event] = []
        self.words: list[Word] = []  # of people, for other topics
        self._difficulties = difficulties

    def note(self, difficulty: str) -> None:
        """Count that something difficult happened."""
        self._difficulties[difficulty] = self._difficulties.get(difficulty, 0) + 1

    def say(
        self,
        at: int,
        source: str,
        type_: str,
        ids: Ids,
        rest: str = "",
        *,
        person: int,
        topic: str = "",
        keys: tuple[str, ...] = (),
        by_person: bool = True,
        profiling: bool | None = None,
    ) -> None:
        """One event; `rest` is JSON text of further fields, after a comma. Nothing after the last day."""
        if at > rates.END_MS:
            return
        self.number = number = self.number + 1
        head = f'"event_id":"{number}","type":"{type_}","occurred_at":"{stamp(at)}","source":"{source}"'
        line = f"{{{head},{ids.json}{rest}}}"
        self.events.append(
            Event(
                at,
                source,
                str(number),
                type_,
                topic,
                person,
                line,
                ids.strong,
                ids.weak,
                keys,
                by_person,
                profiling,
            )
        )

    def ask(self, at: int, what: str, a: str, b: str = "") -> None:
        """What a person says of a pair of `kind:value`, or asks for (`erase`, of `a`)."""
        if at > rates.END_MS:
            return
        self.number = number = self.number + 1
        head = f'"event_id":"{number}","occurred_at":"{stamp(at)}"'
        if what == "erase":
            message, topic = f'{head},"request":"erase","identifiers":{_named(a)}', "privacy-requests"
        else:
            message, topic = (
                f'{head},"assertion":"{what}","a":{_named(a)},"b":{_named(b)}',
                "identity-assertions",
            )
        self.words.append(Word(at, what, a, b, f'{{"topic":"{topic}","message":{{{message}}}}}'))

    def resend(self, ids: Ids, before: Ids) -> None:
        """The last event once more, with `ids` instead of `before`."""
        last = self.events[-1]
        line = last.line.replace(before.json, ids.json, 1)
        self.events.append(
            msgspec.structs.replace(last, line=line, strong=ids.strong, weak=ids.weak, copy=True)
        )
        self.note("resent after log-in")

    def office_time(self, at: int) -> int:
        """A moment in working hours of the day of `at`, or of the Monday after it."""
        day = at // DAY_MS
        weekday = (day + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
        if weekday > 4:
            day += 7 - weekday
        return day * DAY_MS + 7 * rates.HOUR_MS + int(self.random() * 11 * rates.HOUR_MS)

    def between(self, since: int, until: int) -> int:
        """A moment in working hours between two times."""
        return self.office_time(since + int(self.random() * max(0, until - since)))

    def pages(self, at: int, ids: Ids, person: int, topics: tuple[str, ...], count: int = 0) -> int:
        """A visit to the website; returns the time of the next touch.

        `count` touches, else some. Most are about the first of `topics`.
        """
        random = self.random
        for _ in range(count or rates.VISIT_PAGES[int(random() * 8)]):
            topic = topics[int(random() ** 3 * len(topics))]
            pages = words.PAGES[topic]
            type_ = _PAGE_TYPES[int(random() * 19)]
            self.say(at, "web", type_, ids, f",{pages[int(random() * 3)]}", person=person, topic=topic)
            at += 15_000 + int(random() * 240_000)  # 15 s to four minutes on a page
        return at

    def log_in(self, at: int, person: Person, cookie: str) -> tuple[int, Ids]:
        """The person becomes known on this device; returns the next time and how the next touch is seen."""
        person.known = at if person.known is None else min(person.known, at)
        device = ("anonymous_id", cookie)
        if not person.user_id:
            return at, seen_as(person, ("email", person.email), device)
        login = ("user_id", person.user_id)
        if not person.linked:
            person.linked = True
            both = seen_as(person, login, ("email", person.email), device)
            self.say(at, "web", "identified", both, f",{person.facts}", person=person.number)
            at += 1_000
        elif person.private and self.random() < 0.5:
            self.note("private mail at log-in")
            both = seen_as(person, login, ("email", person.private), device)
            self.say(at, "web", "identified", both, person=person.number)
            at += 1_000
        return at, seen_as(person, login, device)
