"""The stages of a journey, read off its touches: the rules once more in the plainest words, to check against.

Only touches by persons, without opened mails, in the order of time.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Final, NamedTuple

from schemas.times import DAY_MS

STAGES: Final = ("awareness", "consideration", "evaluation", "purchase", "experience", "loyalty")
GAP_MS: Final = 180 * DAY_MS  # a longer silence ends the journey
_MONTH_MS: Final = 30 * DAY_MS
_YEAR_MS: Final = 365 * DAY_MS
_CONCRETE: Final = ("catalogue_requested", "sample_requested", "account_registered")
_COMPARING: Final = ("demo_requested", "quote_requested", "call_requested", "meeting_held")
_AFTERWARDS: Final = ("app_used", "support_contacted", "faq_viewed", "howto_viewed", "review_posted")


class Touch(NamedTuple):
    """A touch of an account; without `contact` it is the firm's only."""

    at: int
    type: str
    topic: str
    contact: str


def journeys(touches: list[Touch]) -> list[dict[str, int]]:
    """Per journey of an account the times (ms) at which its stages were entered.

    >>> late = 200 * DAY_MS
    >>> found = journeys([Touch(0, "page_viewed", "", "p1"), Touch(late, "demo_requested", "", "p1")])
    >>> found == [{"awareness": 0}, {"awareness": late, "evaluation": late}]
    True
    """
    cuts = [0, *(n for n, (a, b) in enumerate(pairwise(touches), 1) if b.at - a.at > GAP_MS), len(touches)]
    return [stages(touches[start:stop]) for start, stop in pairwise(cuts) if start < stop]


def stages(touches: list[Touch]) -> dict[str, int]:
    """The stages that one journey entered: each must lie further than all entered before."""
    complete = {
        "awareness": touches[0].at,
        "consideration": _consideration(touches),
        "evaluation": _evaluation(touches),
        "purchase": _first(touches, ("order_placed", "subscription_started")),
        "experience": _experience(touches),
        "loyalty": _loyalty(touches),
    }
    entered: dict[str, int] = {}
    for n, stage in enumerate(STAGES):
        at = complete[stage]
        later = [other for s in STAGES[n + 1 :] if (other := complete[s]) is not None]
        if at is not None and all(at <= other for other in later):
            entered[stage] = at
    return entered


def _first(touches: Iterable[Touch], types: tuple[str, ...]) -> int | None:
    return next((touch.at for touch in touches if touch.type in types), None)


def _earliest(*times: int | None) -> int | None:
    return min((at for at in times if at is not None), default=None)


def _consideration(touches: list[Touch]) -> int | None:
    downloads = [touch.at for touch in touches if touch.type == "content_downloaded"]
    two = next((b for a, b in pairwise(downloads) if b - a <= _MONTH_MS), None)
    return _earliest(_first(touches, _CONCRETE), two, _three_topics(touches))


def _three_topics(touches: list[Touch]) -> int | None:
    last: dict[str, int] = {}
    for touch in touches:
        if touch.topic:
            last[touch.topic] = touch.at
            if len(last) > 2 and sum(at >= touch.at - _MONTH_MS for at in last.values()) > 2:
                return touch.at
    return None


def _evaluation(touches: list[Touch]) -> int | None:
    return _earliest(_first(touches, _COMPARING), _two_members(touches))


def _two_members(touches: list[Touch]) -> int | None:
    """When two contacts, each in consideration or later, were active within 30 days of each other."""
    own: dict[str, list[Touch]] = {}
    for touch in touches:
        if touch.contact:
            own.setdefault(touch.contact, []).append(touch)
    if len(own) < 2:
        return None
    buying = (*_COMPARING, "order_placed", "subscription_started")
    since = {
        contact: at
        for contact, theirs in own.items()
        if (at := _earliest(_consideration(theirs), _first(theirs, buying))) is not None
    }
    last: dict[str, int] = {}  # contact in consideration: last active
    for touch in touches:
        if since.get(touch.contact, touch.at + 1) > touch.at:
            continue
        if any(c != touch.contact and at >= touch.at - _MONTH_MS for c, at in last.items()):
            return touch.at
        last[touch.contact] = touch.at
    return None


def _experience(touches: list[Touch]) -> int | None:
    ordered = _first(touches, ("order_placed",))
    if ordered is None:
        return None
    return _first((touch for touch in touches if touch.at > ordered), _AFTERWARDS)


def _loyalty(touches: list[Touch]) -> int | None:
    orders = [touch.at for touch in touches if touch.type == "order_placed"]
    return orders[2] if len(orders) > 2 and orders[2] - orders[0] <= _YEAR_MS else None
