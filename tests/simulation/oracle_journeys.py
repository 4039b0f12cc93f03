"""Journeys, their stages and hand-offs, computed naively: all touches of a journey again for every touch.

Straight from journey.md, with nothing of the steps; slow, and short enough to be compared with it by eye.
"""

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from tests.simulation.oracle import Touched
from tests.simulation.said import DAY_MS, Decision

STAGES = ("awareness", "consideration", "evaluation", "purchase", "experience", "loyalty")
ORDERS = ("order_placed", "subscription_started")
AFTER_SALES = ("app_used", "support_contacted", "faq_viewed", "howto_viewed", "review_posted")


REQUESTS = ("demo_requested", "quote_requested", "call_requested")
# What may be said of a hand-off that is … ; of one that is over only the same once more.
ALLOWED = {
    "open": ("accepted", "rejected", "working", "won", "lost", "recycled"),
    "accepted": ("accepted", "rejected", "working", "won", "lost", "recycled"),
    "working": ("working", "won", "lost", "recycled"),
    "rejected": ("rejected",),
    "won": ("won",),
    "lost": ("lost",),
    "recycled": ("recycled",),
    "expired": (),
}
OVER = ("rejected", "won", "lost", "recycled", "expired")


class Journey:
    """Times in ms; `closed` is None while it is open."""

    def __init__(self, opened: Touched) -> None:
        self.opened = opened.at
        self.touches = [opened]
        self.won = False
        self.closed: int | None = None
        self.closed_by = ""

    @property
    def stages(self) -> dict[str, int]:
        """When each was entered."""
        return shown(entered(self.touches, group=True))


class Handoff:
    """One of the account: in which journey, the how many-th of it, from which touches, what became of it."""

    def __init__(self, journey: int, attempt: int, made: Touched) -> None:
        self.journey = journey
        self.attempt = attempt
        self.touches = [made]
        self.status = "open"
        self.answers: list[int] = []  # when an outcome counted for it


class Walked(NamedTuple):
    """What a walk through an account finds."""

    journeys: list[Journey]
    handoffs: list[Handoff]
    refused: dict[str, str]  # outcome -> why it counts for nothing
    unready: list[int]  # when a group is said to have been ready that was not in evaluation


def walked(
    touches: Iterable[Touched],
    decisions: Iterable[Decision],
    account: str,
    ready: Collection[int],
    refuses: Callable[[Touched], bool],
    clock: int,
) -> Walked:
    """The account's journeys and hand-offs, day by day.

    `account`: its id, by which outcomes name a hand-off; `ready`: when the group was ready and nobody asked,
    which is not told here; `refuses`: whose person refuses profiling.
    """
    found = Walked([], [], {}, [])
    alive = [t for t in touches if t.said.person and t.said.type != "email_opened"]
    for at, what in sorted(
        [*((t.at, t) for t in alive), *((d.at, d) for d in decisions)], key=lambda x: x[0]
    ):
        _pass(found, at if isinstance(what, Touched) else min(at, clock))  # only touches move the clock
        if isinstance(what, Touched):
            _touch(found, what, ready, refuses)
        elif what.what == "close_journey":
            _close(found, at, "command")
        elif what.what in ALLOWED["open"]:
            _answer(found, what, account)
    _pass(found, clock)
    return found


def _pass(found: Walked, at: int) -> None:
    """It is that late: a journey of which nothing was heard for more than 180 days is over."""
    if found.journeys and found.journeys[-1].closed is None:
        journey = found.journeys[-1]
        end = journey.touches[-1].at + 180 * DAY_MS
        if at > end:
            _close(found, end, "won" if journey.won else "gap")


def _close(found: Walked, at: int, by: str) -> None:
    """The journey is over, and with it what is open of it."""
    if found.journeys and found.journeys[-1].closed is None:
        found.journeys[-1].closed, found.journeys[-1].closed_by = at, by
        if found.handoffs and found.handoffs[-1].status not in OVER:
            found.handoffs[-1].status = "expired"


def _touch(
    found: Walked, touched: Touched, ready: Collection[int], refuses: Callable[[Touched], bool]
) -> None:
    if not found.journeys or found.journeys[-1].closed is not None:
        found.journeys.append(Journey(touched))
    else:
        found.journeys[-1].touches.append(touched)
    if refuses(touched):
        return
    asks = touched.said.type in REQUESTS
    last = found.handoffs[-1] if found.handoffs else None
    if last is not None and last.status not in OVER:
        if asks:
            last.touches.append(touched)
    elif asks or touched.at in ready:
        number = len(found.journeys)
        attempt = last.attempt + 1 if last is not None and last.journey == number else 1
        found.handoffs.append(Handoff(number, attempt, touched))
        if (
            not asks
            and max(entered(found.journeys[-1].touches, group=True), key=STAGES.index) != "evaluation"
        ):
            found.unready.append(touched.at)


def _answer(found: Walked, said: Decision, account: str) -> None:
    """Sales says what became of a hand-off: of the one it names, else of the one that is open."""
    meant = [h for h in found.handoffs if said.handoff == f"{account}.{h.journey}.{h.attempt}"]
    one = next(iter(meant or [h for h in found.handoffs[-1:] if h.status not in OVER]), None)
    if one is None:
        found.refused[said.id] = "no_handoff"
    elif said.what not in ALLOWED[one.status]:
        found.refused[said.id] = "impossible_outcome"
    else:
        one.status = said.what
        one.answers.append(said.at)
        if found.journeys[-1].closed is None and one.journey == len(found.journeys):
            if said.what == "won":
                found.journeys[-1].won = True
            elif said.what == "lost":
                _close(found, said.at, "lost")


def shown(times: dict[str, int]) -> dict[str, int]:
    """Without a stage that was completed after a further one: that is a moment, no step back."""
    return {
        stage: at
        for n, stage in enumerate(STAGES)
        if (at := times.get(stage)) is not None
        and not any(times.get(further, at) < at for further in STAGES[n + 1 :])
    }


def entered(journey: list[Touched], *, group: bool) -> dict[str, int]:
    """Stage -> when its first clause was complete. `group`: several contacts may complete one together."""
    times: dict[str, int] = {}
    for n, touched in enumerate(journey):
        for stage, complete in _clauses(journey[: n + 1], group=group).items():
            if complete:
                times.setdefault(stage, touched.at)
    return times


def _clauses(until: list[Touched], *, group: bool) -> dict[str, bool]:
    """Of each stage whether the last of these touches completes a clause."""
    at, last, _ = until[-1]
    recent = [t.said for t in until if t.at >= at - 30 * DAY_MS]
    orders = [t for t in until if t.said.type in ORDERS]
    several = {t.said.order or (t.said.source, t.said.id) for t in orders}
    return {
        "awareness": True,
        "consideration": (
            last.type in ("catalogue_requested", "sample_requested", "account_registered")
            or (last.type == "content_downloaded" and sum(e.type == last.type for e in recent) >= 2)
            or (bool(last.topic) and len({e.topic for e in recent if e.topic}) >= 3)
        ),
        "evaluation": (
            last.type in ("demo_requested", "quote_requested", "call_requested", "meeting_held")
            or (group and _two_contacts(until))
        ),
        "purchase": last.type in ORDERS,
        "experience": last.type in AFTER_SALES and any(t.at < at for t in orders),
        "loyalty": last.type in ORDERS and at <= orders[0].at + 365 * DAY_MS and len(several) > 2,
    }


def _two_contacts(until: list[Touched]) -> bool:
    """Two contacts in consideration or later, one of them now, active within 30 days of each other."""
    at, _, now = until[-1]
    ready = set()
    for contact in {t.contact for t in until if t.contact is not None}:
        own = [t for t in until if t.contact == contact]
        if set(entered(own, group=False)) - {"awareness"} and own[-1].at >= at - 30 * DAY_MS:
            ready.add(contact)
    return now in ready and len(ready) >= 2
