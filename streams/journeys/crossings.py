"""Paths that cross: a step (type × topic) that two or more people of a group took in one journey.

Once per step, when the second of them takes it. A step without a topic never crosses. One meeting stands in
the CRM once for each who attended: records of the same type, time and `content_id` are one step of several
people, so a record without a topic has that of the others (the first in the alphabet, should they differ);
where none has one it does not cross either.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from schemas.internal import PERSON
from streams.journeys.stages import Touched

MEETINGS = frozenset(("meeting_held", "call_held", "event_attended"))


class Crossing(NamedTuple):
    """A shared step; the four sequences run alike: one entry for each contact, by its first time."""

    type: str
    topic: str
    at: int  # when the second contact took the step, ms
    contacts: tuple[str, ...]  # all who took it
    event_ids: tuple[str, ...]  # the first of each
    sources: tuple[str, ...]


def crossings(
    touches: Iterable[Touched], ignore: Collection[str], no_life: Collection[str], refusing: Collection[str]
) -> list[Crossing]:
    """The crossings among the touches of one journey, which come in event time; by time.

    Left out: steps whose type or topic is in `ignore`, touches of the types `no_life`, by others than the
    person or by nobody known, and the contacts `refusing` that anything be derived of what they do.
    """
    taken: dict[tuple[str, str], dict[str, Touched]] = {}  # step -> contact -> its first
    meetings: dict[tuple[str, int, str], list[Touched]] = {}  # type, time, content_id -> its records
    for touched in touches:
        at, _, _, contact, touch = touched
        touch_type, topic = touch.type, touch.topic
        if not contact or touch.actor != PERSON or touch_type in ignore or touch_type in no_life:
            continue
        if contact in refusing:
            continue
        if touch_type in MEETINGS and touch.content_id:
            meetings.setdefault((touch_type, at, touch.content_id), []).append(touched)
        elif topic and topic not in ignore:
            _take(taken, (touch_type, topic), touched)
    for (touch_type, _, _), records in meetings.items():
        topic = min((record.touch.topic for record in records if record.touch.topic), default="")
        if topic and topic not in ignore:
            for record in records:
                _take(taken, (touch_type, topic), record)
    found = [_crossing(*step, firsts) for step, firsts in taken.items() if len(firsts) > 1]
    return sorted(found, key=lambda crossing: (crossing.at, crossing.type, crossing.topic))


def _take(taken: dict[tuple[str, str], dict[str, Touched]], step: tuple[str, str], touched: Touched) -> None:
    firsts = taken.get(step)
    if firsts is None:
        taken[step] = {touched.contact: touched}
        return
    kept = firsts.setdefault(touched.contact, touched)
    if touched.at <= kept.at and touched < kept:  # meetings come last
        firsts[touched.contact] = touched


def _crossing(touch_type: str, topic: str, firsts: dict[str, Touched]) -> Crossing:
    order = sorted(firsts.values())
    return Crossing(
        touch_type,
        topic,
        order[1].at,
        tuple(touched.contact for touched in order),
        tuple(touched.event_id for touched in order),
        tuple(touched.source for touched in order),
    )
