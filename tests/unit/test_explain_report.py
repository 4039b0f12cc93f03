"""`journeys explain` in words: a hand-off with its outcomes, a score with its parts."""

from typing import Any

import msgspec
import pytest
from dossiers import ID, MARLEEN, SANNE, TOUCHES, dossier, handoff

from schemas.events import CallFirst, ScorePart
from schemas.times import from_rfc3339
from streams.definition import default
from streams.dossier import Touch
from streams.explain_report import (
    Said,
    changes,
    effects,
    evidence,
    handoff_in_words,
    score_in_words,
    valued,
)

RULES = default()
NOW = from_rfc3339("2025-03-20T12:00:00Z")


def said(event_id: str, day: str, outcome: str, handoff_id: str = "", **changes: Any) -> Said:
    told = Said(event_id, f"2025-{day}T09:00:00.000Z", outcome, handoff_id, "", "", "jan")
    return msgspec.structs.replace(told, **changes)


def test_what_came_of_a_hand_off() -> None:
    one = handoff(status="lost", outcome="lost", outcome_at="2025-03-01T09:00:00.000Z")
    told = [
        said("5", "03-02", "lost", reason_code="no_budget", reason="next year"),
        said("1", "02-19", "accepted", refused="no_handoff", error="no hand-off was open then"),
        said("2", "02-25", "working", by=""),
        said("3", "02-26", "accepted", f"{ID}.2.1", refused="impossible_outcome", error="it cannot"),
        said("4", "02-27", "rejected"),
    ]
    found = dossier(handoffs=[one])
    done = effects(found, one, told)
    assert [(effect.said.event_id, effect.became) for effect in done] == [
        ("2", "working"),
        ("3", ""),
        ("4", ""),
        ("5", "lost"),
    ]
    words = list(handoff_in_words(found, one, [], done, RULES))
    assert words[words.index("  outcomes") + 1 : words.index("  what would change it")] == [
        "    2025-02-25 09:00 working: it became working",
        "    2025-02-26 09:00 accepted by jan: refused (impossible_outcome), it cannot",
        "    2025-02-27 09:00 rejected by jan: changed nothing, it is not possible there",
        "    2025-03-02 09:00 lost by jan (no_budget, next year): it became lost",
    ]


def test_an_outcome_means_the_hand_off_it_names_else_the_one_that_was_open() -> None:
    first = handoff(1, "rejected")
    second = handoff(2, at="2025-03-05T09:00:00.000Z")
    found = dossier(handoffs=[first, second])
    told = [
        said("a", "02-21", "rejected"),
        said("b", "03-01", "won", refused="no_handoff"),
        said("bb", "03-02", "won"),  # nothing was open; it waits
        said("c", "03-06", "accepted"),
        said("d", "03-07", "rejected", f"{ID}.2.1", reason="again"),
        said("e", "03-08", "working", "affffffffffffff0.1.1"),  # an id of before a merge
    ]
    assert [each.said.event_id for each in effects(found, first, told)] == ["a", "b", "d"]
    assert [each.said.event_id for each in effects(found, second, told)] == ["c", "e"]
    early = [said("x", "02-20", "won", f"{ID}.2.2")]
    assert [(each.said.event_id, each.became) for each in effects(found, second, early)] == [("x", "")]


def test_the_touches_that_made_it() -> None:
    later = Touch("2025-02-25T09:00:00.000Z", SANNE, "demo_requested", "", "9")
    touches = [*TOUCHES, later]
    assert [t.event_id for t in evidence(dossier(), handoff(), touches, RULES)] == ["6", "9"]
    over = handoff(status="won", outcome_at="2025-02-24T09:00:00.000Z")
    assert [t.event_id for t in evidence(dossier(), over, touches, RULES)] == ["6"]
    ready = handoff(at="2025-02-20T08:00:00.000Z")  # nobody asked: the touch that made it a comparing group
    found = evidence(dossier(), ready, TOUCHES, RULES)
    assert [t.event_id for t in found] == ["4", "5", "6"]


def test_a_hand_off_in_words() -> None:
    one = handoff()
    touches = evidence(dossier(), one, TOUCHES, RULES)
    assert (
        "\n".join(handoff_in_words(dossier(), one, touches, [], RULES))
        == f"""\
hand-off {ID}.2.1 of De Klerk: open
  made on 2025-02-20 10:15, with an engagement of 52.35
  why
    Marleen Bos asked for a quote on 2025-02-20
  evidence
    2025-02-20 10:15 Marleen Bos: quote requested, pumps (event 6)
  whom to call, and why
    call first: Marleen Bos, +31612345678, marleen@deklerk.nl; asked for a quote
    Sanne de Klerk may not be approached: refuses e-mail; no phone number known
    Marleen Bos may be approached: gave leave by e-mail
  outcomes
    none yet; feedback is due on 2025-02-27
  what would change it
    an outcome: accepted, rejected, working, won, lost, recycled (journeys outcome {ID}.2.1 accepted)
    a further request, or a new member, is news for this hand-off and makes no other
    it expires when 180 days pass without a touch
    what comes late, is taken apart or erased: it is withdrawn when the touch that made it is gone"""
    )


def test_who_asked_may_be_called_about_that_alone() -> None:
    first = CallFirst(SANNE, "Sanne de Klerk", "", "sanne@deklerk.nl", "asked for a demo")
    words = list(handoff_in_words(dossier(), handoff(call_first=first), [], [], RULES))
    assert (
        "    Sanne de Klerk may not be approached about anything else: refuses e-mail; no phone number known"
        in words
    )


@pytest.mark.parametrize(
    ("status", "first"),
    [
        ("working", f"an outcome: won, lost, recycled (journeys outcome {ID}.2.1 won)"),
        (
            "expired",
            "it is over; another one is made by demo requested or quote requested or call requested,"
            " or in evaluation by 40 points of later touches",
        ),
        (
            "withdrawn",
            "nothing: what made it is taken apart, erased, or of somebody who refuses profiling",
        ),
    ],
)
def test_what_would_change_it(status: str, first: str) -> None:
    assert next(changes(handoff(status=status), RULES)) == first


def test_a_score_is_the_sum_of_its_parts() -> None:
    assert [(v.part.contact_id, v.age_days, v.value) for v in valued(dossier())] == [
        (MARLEEN, 0, 32.5),
        (SANNE, 14, 15.5),
        ("", 0, 2.0),
    ]
    assert (
        "\n".join(score_in_words(dossier(), NOW))
        == """\
engagement of De Klerk: 50.00 on 2025-02-20, 12.50 by now
  points of a person on a day × weight of the role × 0.5^(days ago / 14)
  2025-02-20  Marleen Bos              25 × 1.3 × 0.5^(0/14) = 32.500        1 quote requested
  2025-02-06  Sanne de Klerk           31 × 1 × 0.5^(14/14) = 15.500         \
3 catalogue requested, 1 page viewed
  2025-02-20  the firm itself          2 × 1 × 0.5^(0/14) = 2.000            2 page viewed
  all together = 50.000"""
    )


def test_beyond_ten_parts_the_rest_is_summed() -> None:
    parts = [ScorePart(f"2025-02-{day:02}", SANNE, 7.0, 1.0, {"page_viewed": 7}) for day in range(9, 21)]
    lines = list(score_in_words(dossier(score_parts=parts, engagement=64.91), NOW))
    assert len(lines) == 2 + 10 + 2
    assert lines[-2:] == ["  2 smaller ones together = 8.327", "  all together = 64.915"]
    missing = list(score_in_words(dossier(score_parts=parts, engagement=80.0), NOW))
    assert missing[-1] == "  all together = 64.915; the rest is of people of whom something is erased"


def test_without_points_there_is_no_score() -> None:
    lines = list(score_in_words(dossier(engagement_at=None), NOW))
    assert lines == ["engagement of De Klerk: none, no touch with points is known"]
