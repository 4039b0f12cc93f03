"""The stages of a journey, computed naively: all touches of a journey again for every touch.

Straight from journey.md, with nothing of the steps; slow, and short enough to be compared with it by eye.
"""

from collections.abc import Iterable
from typing import NamedTuple

from tests.simulation.oracle import Touched
from tests.simulation.said import DAY_MS

STAGES = ("awareness", "consideration", "evaluation", "purchase", "experience", "loyalty")
ORDERS = ("order_placed", "subscription_started")
AFTER_SALES = ("app_used", "support_contacted", "faq_viewed", "howto_viewed", "review_posted")


class Journey(NamedTuple):
    """Times in ms; `closed` is None while it is open."""

    opened: int
    stages: dict[str, int]
    closed: int | None


def journeys(touches: Iterable[Touched], clock: int) -> list[Journey]:
    """The journeys of an account: cut where nothing was heard for more than 180 days."""
    cut: list[list[Touched]] = []
    for touched in touches:
        if not touched.said.person or touched.said.type == "email_opened":
            continue
        if not cut or touched.at > cut[-1][-1].at + 180 * DAY_MS:
            cut.append([])
        cut[-1].append(touched)
    found = []
    for n, journey in enumerate(cut):
        end = journey[-1].at + 180 * DAY_MS
        closed = end if n + 1 < len(cut) or clock > end else None
        found.append(Journey(journey[0].at, shown(entered(journey, group=True)), closed))
    return found


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
