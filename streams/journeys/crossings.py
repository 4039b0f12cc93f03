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
    meetings: dict[tuple[str, int, str], str] = {}  # type, time, content_id -> topic
    steps: list[tuple[str, Touched]] = []  # topic, or empty of a record of a meeting
    for touched in touches:
        touch = touched.touch
        if not touched.contact or touch.actor != PERSON or touched.contact in refusing:
            continue
        if touch.type in ignore or touch.type in no_life:
            continue
        topic = touch.topic
        if touch.content_id and touch.type in MEETINGS:
            if topic:
                meeting = (touch.type, touched.at, touch.content_id)
                meetings[meeting] = min(topic, meetings.get(meeting, topic))
            steps.append(("", touched))
        elif topic:
            steps.append((topic, touched))
    taken: dict[tuple[str, str], dict[str, Touched]] = {}  # step -> contact -> its first
    for told, touched in steps:
        touch = touched.touch
        topic = told or meetings.get((touch.type, touched.at, touch.content_id), "")
        if not topic or topic in ignore:
            continue
        firsts = taken.setdefault((touch.type, topic), {})
        kept = firsts.setdefault(touched.contact, touched)
        if touched.at == kept.at and touched < kept:
            firsts[touched.contact] = touched
    found = [_crossing(*step, firsts) for step, firsts in taken.items() if len(firsts) > 1]
    return sorted(found, key=lambda crossing: (crossing.at, crossing.type, crossing.topic))


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
