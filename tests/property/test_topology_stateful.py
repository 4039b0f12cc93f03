"""The topology under rules that hypothesis picks: what people do, what arrives when, what crashes.

At rest everything is as the naive oracle says, which resolves the whole set at once
(tests/simulation/oracle.py). What fails is shrunk to a few steps. 500 runs in `make test`; 20,000 by
`pytest -m long tests/property/test_topology_stateful.py`.
"""

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from schemas import topics
from schemas.times import DAY_MS, rfc3339
from streams.core import Output, Step
from streams.fragments.step import Fragments
from streams.identity import resolver
from tests.simulation import builds, checks, topology
from tests.simulation.bus import Bus
from tests.simulation.people import BEGIN_MS, Line, clear, erased, lost
from tests.simulation.said import Assertion, Decision, Request, said
from tests.simulation.sales import topic_of

CLOCK_MS = BEGIN_MS + 118 * DAY_MS  # later than everything; nobody's devices are remembered for 120 days
STEPS = [step.name for step in topology.STEPS]
INSIDE = (topics.VALID, topics.LINKS, topics.MAP, topics.SNAPSHOTS, topics.RECORDS)

days = st.integers(0, 99)
people = st.integers(0, 2)
firms = st.integers(0, 1)
few = st.integers(1, 8)


def contact_id(n: int) -> str:
    return f"contact_id:C{n}"


def email(n: int) -> str:
    return f"email:p{n}@firm{n % 2}.nl"


STRONG = [
    *map(contact_id, range(3)),
    *(f"user_id:u{n}" for n in range(3)),
    *map(email, range(3)),
    *(f"email:p{n}@firm{1 - n % 2}.nl" for n in range(2)),  # at a client's
    *(f"email:p{n}@gmail.com" for n in range(2)),
]
WEAK = [f"anonymous_id:k{n}" for n in range(3)]
KEYS = [f"{kind}{n}" for kind in ("account_id:A", "customer_number:9") for n in range(2)]
KEYS += [f"domain:firm{n}.nl" for n in range(2)]

strong = st.sampled_from(STRONG)
cookies = st.sampled_from(WEAK)
keys = st.sampled_from(KEYS)


def given(*identifiers: str) -> dict[str, str]:
    return dict(one.split(":", 1) for one in identifiers)


class Topology(RuleBasedStateMachine):
    """Real sessions of the real steps; lines come in whatever order, with whatever event times."""

    steps: ClassVar[tuple[type[Step], ...]] = topology.STEPS
    owes: ClassVar[bool] = True
    failed = True  # until it has begun

    @initialize(anonymous=st.sampled_from([False, False, False, True]))
    def begin(self, anonymous: bool) -> None:
        self.bus = Bus(self.steps, anonymous=anonymous, owes=self.owes)
        self.failed = False
        self.lines: list[Line] = []
        self.late: list[Line] = []  # requests that came at rest, after all that is dated up to then
        self.known = 0  # of the lines, those that came before the last rest
        self.drains = 0
        self.count = 0

    # ---- what people do

    def _at(self, day: int) -> int:
        self.count += 1
        return BEGIN_MS + day * DAY_MS + self.count * 1_000

    def _say(self, line: Line) -> None:
        """Send a line, unless the rules leave open what follows (docs/simulation.md)."""
        request = isinstance(line.said, Request)
        if request and self.known == len(self.lines):
            self.late.append(line)
        elif line.at <= max((one.at for one in self.late), default=0):
            return
        requests = request or any(isinstance(one.said, Request) for one in self.lines)
        if requests and not clear([*self.lines, line], self.late, anonymous=self.bus.anonymous):
            self.late = [one for one in self.late if one is not line]
            return
        self.lines.append(line)
        self.bus.send(Output(line.topic, 0, None, line.value))

    def _touch(self, day: int, identifiers: tuple[str, ...], **more: Any) -> None:
        at = self._at(day)
        event = {
            "event_id": f"e{self.count:04}",
            "type": "page_viewed",
            "source": "web",
            "tenant": "tenant-1",
            "occurred_at": rfc3339(at),
            **({"identifiers": given(*identifiers)} if identifiers else {}),
            **more,
        }
        self._say(Line(json.dumps(event).encode(), event, at, said=said(at, event)))

    @rule(day=days, who=cookies, type_=st.sampled_from(["page_viewed", "quote_requested"]))
    def visit(self, day: int, who: str, type_: str) -> None:
        self._touch(day, (who,), type=type_)

    @rule(day=days, who=cookies, as_=strong)
    def log_in(self, day: int, who: str, as_: str) -> None:
        self._touch(day, (who, as_), contact={"name": f"name of {self.count:04}"})

    @rule(day=days, a=strong, b=strong, source=st.sampled_from(["web", "crm"]))
    def link_touch(self, day: int, a: str, b: str, source: str) -> None:
        self._touch(day, (a, b), source=source)

    @rule(
        day=days,
        who=people,
        firm=firms,
        with_=st.sampled_from([(), ("domain",), ("customer_number",)]),
        mail=st.booleans(),
    )
    def crm_record(self, day: int, who: int, firm: int, with_: tuple[str, ...], mail: bool) -> None:
        firm_keys = {"account_id": f"A{firm}", "domain": f"firm{firm}.nl", "customer_number": f"9{firm}"}
        account = {kind: firm_keys[kind] for kind in ("account_id", *with_)}
        identifiers = (contact_id(who), email(who)) if mail else (contact_id(who),)
        self._touch(day, identifiers, source="crm", type="profile_updated", account=account)

    @rule(day=days, firm=firms, domain=firms)
    def domain_moves(self, day: int, firm: int, domain: int) -> None:
        account = {"account_id": f"A{firm}", "domain": f"firm{domain}.nl"}
        self._touch(day, (), source="crm", type="meeting_held", account=account)

    @rule(day=days, who=strong, account=keys)
    def for_a_client(self, day: int, who: str, account: str) -> None:
        self._touch(day, (who,), account=given(account))

    @rule(day=days, who=strong | cookies, given_=st.booleans())
    def consent(self, day: int, who: str, given_: bool) -> None:
        kind = "consent_given" if given_ else "consent_withdrawn"
        self._touch(day, (who,), type=kind, consent={"profiling": given_})

    @rule(
        day=days,
        pair=st.tuples(strong, strong) | st.tuples(strong, cookies) | st.tuples(keys, keys),
        what=st.sampled_from(["link", "unlink", "cannot_link"]),
    )
    def steward(self, day: int, pair: tuple[str, str], what: str) -> None:
        a, b = sorted(pair)
        if a == b:
            return
        at = self._at(day)
        event: dict[str, Any] = {
            "event_id": f"s{self.count:04}",
            "tenant": "tenant-1",
            "occurred_at": rfc3339(at),
            "assertion": what,
            "a": given(a),
            "b": given(b),
            "by": "steward",
        }
        said = Assertion(at, event["event_id"], what, a, b)
        self._say(Line(json.dumps(event).encode(), event, at, topics.ASSERTIONS.name, said))

    @rule(
        day=days, account=keys, what=st.sampled_from(["accepted", "working", "won", "lost", "close_journey"])
    )
    def sales_says(self, day: int, account: str, what: str) -> None:
        """What became of a lead, or that a journey is over."""
        at = self._at(day)
        event: dict[str, Any] = {
            "event_id": f"l{self.count:04}",
            "tenant": "tenant-1",
            "occurred_at": rfc3339(at),
            "command" if what == "close_journey" else "outcome": what,
            "account": given(account),
        }
        said = Decision(at, event["event_id"], what, account, "", named=True)
        self._say(Line(json.dumps(event).encode(), event, at, topic_of(what), said))

    @rule(day=days, who=strong | strong | cookies)
    def erase(self, day: int, who: str) -> None:
        at = self._at(day)
        event: dict[str, Any] = {
            "event_id": f"r{self.count:04}",
            "tenant": "tenant-1",
            "occurred_at": rfc3339(at),
            "request": "erase",
            "identifiers": given(who),
        }
        said = Request(at, event["event_id"], (who,))
        self._say(Line(json.dumps(event).encode(), event, at, topics.PRIVACY.name, said))

    # ---- what arrives when, and what crashes

    @rule(step=st.sampled_from(STEPS), most=few)
    def deliver(self, step: str, most: int) -> None:
        self.bus.processes[step].deliver(most)

    @rule(step=st.sampled_from(STEPS), most=few, effects=st.integers(0, 12))
    def crash(self, step: str, most: int, effects: int) -> None:
        """Between any two effects of a batch."""
        self.bus.processes[step].deliver(most, effects)
        self.bus.processes[step].restart()

    @rule(topic=st.sampled_from([*topics.INPUTS, *INSIDE]), back=few, size=few)
    def again(self, topic: topics.Topic, back: int, size: int) -> None:
        """A batch is delivered again."""
        self.bus.again(topic.name, max(0, len(self.bus.log(topic.name)) - back), size)

    @rule(topic=st.sampled_from(topics.INPUTS), order=st.randoms(use_true_random=False))
    def reorder(self, topic: topics.Topic, order: Any) -> None:
        """What has not been fetched yet comes in another order."""
        self.bus.reorder(topic.name, order.shuffle)

    @precondition(lambda self: self.known < len(self.lines))
    @rule()
    def rest(self) -> None:
        self._rest()
        self._as_the_oracle_says()

    def _rest(self) -> None:
        """Until nothing is left to do; what may be lost by then is sent again."""
        self.bus.rest()
        self._come_again(lost(self.lines, anonymous=self.bus.anonymous))
        self.drains += 1
        self.bus.drain(CLOCK_MS, self.drains)
        self.known = len(self.lines)

    def _come_again(self, lines: Sequence[Line]) -> None:
        for line in lines:
            self.bus.send(Output(line.topic, 0, None, line.value))
        self.bus.rest()

    def _as_the_oracle_says(self) -> None:
        wrong = checks.against_oracle(self.bus, self.lines, CLOCK_MS)
        wrong += checks.forgotten(self.bus, self.lines)
        self.failed = bool(wrong)
        assert not wrong, "\n".join(wrong)

    def teardown(self) -> None:
        """Whatever happened: at rest, and when all that is erased has come again."""
        if self.failed:
            return
        self._rest()
        self._as_the_oracle_says()
        self._come_again(erased(self.lines, anonymous=self.bus.anonymous))
        self._rest()
        self._as_the_oracle_says()
        wrong = checks.refused_again(self.bus, self.lines)
        assert not wrong, "\n".join(wrong)


RUNS = settings(deadline=None, stateful_step_count=30, suppress_health_check=list(HealthCheck), database=None)


def test_at_rest_everything_is_as_the_naive_oracle_says() -> None:
    run_state_machine_as_test(seed(1)(Topology), settings=settings(RUNS, max_examples=500))


@pytest.mark.long
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("block", range(20))
def test_many_more_runs(block: int) -> None:
    run_state_machine_as_test(seed(1_000 + block)(Topology), settings=settings(RUNS, max_examples=1_000))


class NotRestated(Topology):
    steps = tuple(builds.NotRestated if step is Fragments else step for step in topology.STEPS)


class OwesNothing(Topology):
    owes = False


class WithoutLimits(Topology):
    """The resolver joins whoever was seen together."""


@pytest.mark.parametrize("machine", [WithoutLimits, NotRestated, OwesNothing])
def test_what_is_broken_is_found(machine: type[Topology], monkeypatch: pytest.MonkeyPatch) -> None:
    if machine is WithoutLimits:
        monkeypatch.setitem(resolver.CONTACT_LIMITS, "contact_id", 9)
    once = settings(RUNS, max_examples=500, phases=[Phase.generate], report_multiple_bugs=False)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(seed(1)(machine), settings=once)
