"""What requests leave of the identity map is a function of the SET of statements and requests.

The oracle takes requests in the order of their times: it takes out of the set what each erases, and reads
the rest as `test_identity_set` does. Statements come in any order; requests in the order of their times,
since of two that come the other way round one may erase more. Where links contradict each other they come
before the requests that they predate, since late links are taken as they come; so are they where two requests
name one person.
"""

from dataclasses import dataclass, field
from random import Random

import msgspec
import pytest

from schemas.internal import Asserted, Link, Named, Owns, Request, Seen
from schemas.keys import erased_name
from schemas.privacy import PrivacyResult
from schemas.times import DAY_MS, from_rfc3339
from schemas.topics import EVIDENCE, RESULTS
from streams.core import Output
from streams.identity import resolver, rows
from tests.property import test_identity_set
from tests.property.test_identity_set import (
    ACCOUNTS,
    BEFORE,
    BY_ADDRESS,
    KEY_OF,
    NAMED,
    POISON,
    RANKS,
    STRONG,
    TENANT,
    WEAK,
    WINDOW,
    Oracle,
    Processor,
    Statement,
    _any,
    _encode,
    agree,
    firm,
)

START = 946_684_800_000
MANY = 50
PEOPLE = [  # identifiers that may be linked without contradiction
    ["contact_id:0", "user_id:0", "email:a@acme.nl", "email:d@sub.beta.nl"],
    ["contact_id:1", "user_id:1", "email:b@acme.nl", "email:f@gmail.com"],
    ["contact_id:2", "user_id:2", "email:c@acme.nl", "email:e@beta.nl"],
]
Period = tuple[int | None, int]
_result = msgspec.json.Decoder(PrivacyResult).decode


@dataclass
class Erased:
    """What requests take out of a set of statements."""

    said: set[Statement]
    until: dict[str, int] = field(default_factory=dict)  # of each identifier the latest
    gone: dict[str, str] = field(default_factory=dict)  # name of an erased owner -> its group
    forgotten: set[tuple[str, str]] = field(default_factory=set)  # (who, who is erased): links that are gone
    found: dict[str, set[str]] = field(default_factory=dict)  # request -> identifiers

    def __post_init__(self) -> None:
        heard = set().union(*Oracle(self.said, MANY).heard.values())  # what people say that means something
        self.said = {one for one in self.said if not isinstance(one, Asserted) or one in heard}

    def erase(self, request: Request) -> None:
        known = Oracle(
            {one for one in self.said if one.at <= request.at}, MANY, until=self.until, gone=self.gone
        )
        for identifier in request.identifiers:
            if self.until.get(identifier, BEFORE) >= request.at:
                continue
            self.found.setdefault(request.event_id, set())
            members = set(known.cluster.get(identifier, [identifier]))
            if identifier in known.seen:
                self.found[request.event_id] |= members
            self.until |= dict.fromkeys(members, request.at)
            names = {member: erased_name(KEY_OF(TENANT, member)) for member in members}
            self.gone |= dict.fromkeys(names.values(), f"#{request.event_id}{identifier}")
            self.said = {left for one in self.said for left in self._left(one, names, request.at)}

    def _left(self, one: Statement, names: dict[str, str], until: int) -> list[Statement]:
        """What is left of a statement: that it mentions others, and whose device was an erased person's."""
        ends = [getattr(one, name, "") for name in ("identifier", "a", "b", "weak", "strong")]
        if one.at > until or not names.keys() & {*ends}:
            return [one]
        mentioned = [(end, one.at) for end in (*ends, getattr(one, "account", ""))]
        mentioned += [(firm(end), BY_ADDRESS) for end in ends]
        left: list[Statement] = [
            Seen(TENANT, other, at)
            for other, at in mentioned
            if other and other not in names and not other.startswith("#") and other not in WEAK
        ]
        others = {*ends} - {""} - names.keys()
        if isinstance(one, Owns | Asserted) and others & {*WEAK}:  # the device is not erased, its owner is
            new = {
                name: names.get(getattr(one, name), getattr(one, name))
                for name in ("a", "b", "strong")
                if hasattr(one, name)
            }
            left.append(msgspec.structs.replace(one, **new))
            self.forgotten |= {(weak, end) for weak in others & {*WEAK} for end in ends if end in names}
        elif isinstance(one, Link | Asserted):
            self.forgotten |= {
                (who, end) for who in others for end in ends if end in names and end not in WEAK
            }
        return left

    def periods(self, oracle: Oracle, identifier: str) -> list[Period]:
        """When touches of the identifier are erased."""
        found: list[Period] = []
        if identifier in self.until:
            found.append((None, self.until[identifier] + 1))
        if identifier in WEAK:
            times = {at for at, _ in oracle.asserted(identifier)}
            ends = {until + 1 for until in self.until.values()}
            marks = sorted(
                {BEFORE, *times, *ends, *(at - WINDOW for at in times), *(at + WINDOW + 1 for at in times)}
            )
            for since, until in zip(marks, [*marks[1:], marks[-1] + 1], strict=True):
                contact, _ = oracle.held_at(identifier, since)
                if contact in self.gone.values() and since <= self.last(contact):
                    found.append((since, until))
        joined: list[Period] = []
        for since, until in found:
            if joined and (since is None or since <= joined[-1][1]):
                joined[-1] = (joined[-1][0], max(until, joined[-1][1]))
            else:
                joined.append((since, until))
        return joined

    def unnamed(self, oracle: Oracle) -> set[Statement]:
        """The statements without what erased touches of a device name, but that there are such accounts."""
        periods = {weak: self.periods(oracle, weak) for weak in WEAK}
        return {
            Seen(TENANT, one.account, one.at)
            if isinstance(one, Named)
            and any((since or BEFORE) <= one.at < until for since, until in periods.get(one.identifier, ()))
            else one
            for one in self.said
        }

    def last(self, group: str | None) -> int:
        keys = {name for name, of in self.gone.items() if of == group}
        return max(at for one, at in self.until.items() if erased_name(KEY_OF(TENANT, one)) in keys)


def is_nameless(weak: str, expected: Oracle) -> bool:
    """Whether nobody but erased persons is known to have owned it."""
    owners = {one.strong for one in expected.said if isinstance(one, Owns) and one.weak == weak}
    owners |= {one for pair in expected.words if weak in pair for one in pair if one != weak}
    named = any(isinstance(one, Named) and one.identifier == weak for one in expected.said)
    return bool(owners) and all(one.startswith("#") for one in owners) and not named


class Asked(Processor):
    """Hears the answers, too."""

    def __init__(self) -> None:
        self.results: dict[str, PrivacyResult] = {}
        super().__init__()

    def send(self, outputs: list[Output]) -> None:
        for output in outputs:
            if output.value:
                super().send([output])
            elif output.topic == EVIDENCE.name:
                self.told.pop(output.key or b"", None)
            if output.topic == RESULTS.name:
                result = _result(output.value or b"")
                known = self.results.get(result.subject)
                if known is None or known.version <= result.version:
                    self.results[result.subject] = result


def at_random(random: Random, *, linked: bool) -> list[Statement]:
    """Statements; `linked`: links and what people say are of any two, else of one person."""
    step, reach = random.choice([1, 13, 30]), random.choice([8, 20])
    said: list[Statement] = []
    while len(said) < 40:
        one = _any(random, step, reach, device=random.random() < 0.2)
        if (
            not linked
            and isinstance(one, Link | Asserted)
            and one.a in (*STRONG, *WEAK)
            and one.b in (*STRONG, *WEAK)
        ):
            pair = sorted(random.sample(random.choice(PEOPLE), 2))
            one = Link(TENANT, *pair, "web", RANKS["web"], one.at)
        said.append(one)
    return list(dict.fromkeys(said))


def requests_at_random(random: Random, *, linked: bool) -> list[Request]:
    """Requests, in the order of their times; where links may come late, each of another person."""
    times = sorted(START + random.randint(0, 20) * 13 * DAY_MS for _ in range(random.randint(1, 3)))
    people = random.sample(PEOPLE, 3)
    named = [
        random.choice(WEAK if random.random() < 0.2 else STRONG if linked else people.pop()) for _ in times
    ]
    return [
        Request(TENANT, f"r{n}", "erase", [one], at)
        for n, (one, at) in enumerate(zip(named, times, strict=True))
    ]


@pytest.mark.parametrize("seed", range(300))
def test_what_requests_leave_follows_from_the_set(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for bound in ("PARTNERS", "ACCOUNT_PARTNERS"):  # what makes links inert does so for good
        monkeypatch.setattr(resolver, bound, MANY)
        monkeypatch.setattr(test_identity_set, bound, MANY)
    for bound in ("OWNERS", "WORDS"):
        monkeypatch.setattr(rows, bound, MANY)
        monkeypatch.setattr(test_identity_set, bound, MANY)
    monkeypatch.setattr(rows, "NAMED", NAMED)
    random = Random(seed)
    linked = seed % 2 == 0
    said, requests = at_random(random, linked=linked), requests_at_random(random, linked=linked)
    first = [one for one in said if linked and isinstance(one, Link | Asserted)]
    others = [one for one in said if one not in first]
    random.shuffle(first)
    random.shuffle(others)
    order: list[Statement | Request] = [*others]
    for place, request in zip(
        sorted(random.randint(0, len(others)) for _ in requests), requests, strict=True
    ):
        order.insert(order.index(others[place]) if place < len(others) else len(order), request)
    again = [*said, *random.sample(requests, len(requests))]  # FRAGMENTS says again what remains, and more
    random.shuffle(again)
    processor = Asked()
    for part in ([*first, *order], again):
        values = [_encode(one) for one in part]
        values.insert(random.randrange(len(values)), POISON)
        while values:
            size = random.choice([1, 3, 10, 50])
            crash = random.choice([0, 0.5, 1]) if random.random() < 0.15 else None
            processor.batch(values[:size], crash=crash)
            del values[:size]
    erased = Erased(set(said))
    for request in requests:
        erased.erase(request)
    expected = Oracle(erased.said, MANY, until=erased.until, gone=erased.gone)
    expected = Oracle(erased.unnamed(expected), MANY, until=erased.until, gone=erased.gone)
    nameless = {one for one in WEAK if is_nameless(one, expected)}
    for one in nameless:  # compared like others, by its plain name
        row = processor.published[KEY_OF(TENANT, one)]
        assert row.identifier == erased_name(KEY_OF(TENANT, one))
        row.identifier = one
    agree(processor, expected)
    published = {KEY_OF(TENANT, one): one for one in (*STRONG, *WEAK, *ACCOUNTS)}
    for key, row in processor.published.items():
        if (identifier := published.get(key)) is None:
            continue
        assert row.identifier == (identifier if identifier in expected.seen else erased_name(key))
        periods = [(p.since and from_rfc3339(p.since), from_rfc3339(p.until or "")) for p in row.erased]
        assert periods == erased.periods(expected, identifier), identifier
        if identifier not in erased.until:
            names = {KEY_OF(TENANT, one).hex() for who, one in erased.forgotten if who == identifier}
            assert row.forgotten.keys() == names
    assert {one for one in erased.until if KEY_OF(TENANT, one) not in processor.published} == set()
    for event_id, found in erased.found.items():
        if linked:
            counts = processor.results[event_id].counts
            assert counts["identifiers"] == len([one for one in found if one not in WEAK])
            assert counts["devices"] >= len([one for one in found if one in WEAK])
    nobody = [one for one in erased.until if one not in expected.seen]
    kept = processor.session.rows.group(KEY_OF(TENANT)).values()
    assert [one for one in nobody if any(one.encode() in value for value in kept)] == []
