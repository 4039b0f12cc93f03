"""`journeys show` in words."""

import msgspec
import pytest
from dossiers import ID, MAIL, MARLEEN, SANNE, TOUCHES, dossier, handoff

from schemas.events import CallFirst
from schemas.times import from_rfc3339
from streams.dossier import Dossier
from streams.show_report import engagement_by, in_words

NOW = from_rfc3339("2025-03-20T12:00:00Z")  # two half-lives after the engagement's day


def lines(shown: Dossier, width: int = 90) -> list[str]:
    return [line.plain.rstrip() for line in in_words(shown, TOUCHES, NOW, width)]


def test_the_whole_answer() -> None:
    assert (
        "\n".join(lines(dossier()))
        == f"""\
De Klerk  ({ID}, domain:deklerk.nl)
  evaluation since 2025-02-11 · quiet since 2025-03-20 (27 days without a touch are unusual) · engagement 50 \
on 2025-02-20, 12 by now · 1 order, EUR 4,612.75 · installation, 34 employees, NL · owner jan

  journey 2            open                2025-02-01                          2025-02-21
  stage                                    awareness──────────────evaluation─────────────
  hand-off                                                                            ▲
  Marleen Bos          buyer                                      ·                   ×
  Sanne de Klerk       initiator           ·                                          ×
  c000000000000003
  the firm itself                                                                       ·
                                           one touch ·  2 :  3-4 ▪  more █  a step shared ×  hand-off ▲
  awareness 2025-02-01 → evaluation 2025-02-11
  crucial moments: catalogue request 2025-02-03

  hand-offs
    {ID}.2.1 made on 2025-02-20, open
      Marleen Bos asked for a quote on 2025-02-20
      call first: Marleen Bos, +31612345678, {MAIL}; asked for a quote
      say by 2025-02-27 what becomes of it: journeys outcome {ID}.2.1 accepted

  missing
    no decider is known, and the stage asks for one

  next
    Marleen Bos, by phone, until 2025-02-21: call about pumps
      she asked
    ask: How many people work there? (it decides the segment)

  who
    Marleen Bos, Inkoper: buyer (title)
      seen since 2025-02-11, 10 days after the first of them; in evaluation; 45 points; last: quote \
requested, pumps (2025-02-20); may be approached: gave leave by e-mail
    Sanne de Klerk: initiator (behaviour)
      seen since 2025-02-01; in consideration; 5 points; last: howto viewed, pumps (2025-02-20); silent; may \
not be approached: refuses e-mail; no phone number known
    c000000000000003: no role known
      never seen here; left on 2025-01-05

  paths crossed
    2025-02-20 howto viewed, pumps: Sanne de Klerk and Marleen Bos

  journeys before
    1: 2024-01-01 until 2024-06-29, closed by gap: awareness"""
    )


def test_the_axis_is_as_wide_as_there_is_room() -> None:
    assert {len(line) for line in lines(dossier(), 90) if "journey 2" in line} == {90 - 1}
    assert {len(line) for line in lines(dossier(), 140) if "journey 2" in line} == {140 - 1}
    assert {len(line) for line in lines(dossier(), 10) if "journey 2" in line} == {72 - 1}


def test_engagement_halves_in_whole_days() -> None:
    assert engagement_by(dossier(), NOW) == 12.5
    assert engagement_by(dossier(), NOW + 11 * 3_600_000) == 12.5
    assert engagement_by(dossier(), 0) == 50.0  # never more than it was
    assert engagement_by(dossier(engagement_at=None), NOW) == 0.0


def test_hand_offs_that_are_over_stand_below_and_say_what_became_of_them() -> None:
    lost = handoff(1, "lost", outcome="lost", outcome_code="no_budget", outcome_at="2025-03-01T00:00:00.000Z")
    won = handoff(2, "won", at="2025-02-19T00:00:00.000Z", outcome="won", value="12.5", currency="EUR")
    found = lines(dossier(handoffs=[lost, won, handoff(3, "working", at="2025-02-18T00:00:00.000Z")]))
    said = [line.strip() for line in found if "made on" in line]
    assert said == [
        f"{ID}.2.3 made on 2025-02-18, working",
        f"{ID}.2.1 made on 2025-02-20, lost on 2025-03-01: no_budget",
        f"{ID}.2.2 made on 2025-02-19, won (EUR 12.50)",
    ]
    assert not any("say by" in line for line in found)  # somebody has


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (CallFirst("", "", "", "", ""), "call first: nobody is known who may be approached"),
        (CallFirst("", "", "", "", "nobody may"), "call first: nobody may"),
        (CallFirst("", "", "", "info@acme.nl", "asked"), "write to info@acme.nl; asked"),
        (
            CallFirst(MARLEEN, "Marleen Bos", "", "", "asked for a demo"),
            "call first: Marleen Bos, no address or number that may be used; asked for a demo",
        ),
    ],
)
def test_whom_to_call_when_there_is_little_to_call_with(first: CallFirst, told: str) -> None:
    assert f"      {told}" in lines(dossier(handoffs=[handoff(call_first=first)]))


def test_a_firm_of_which_nothing_is_known_is_shown() -> None:
    nothing = dossier(
        name="",
        keys=[],
        stage="",
        members=[],
        journeys=[],
        roles_missing=[],
        engagement_at=None,
        status="unknown",
        silences=[],
        crossings=[],
        handoffs=[],
        orders=0,
        industry="",
        employees=None,
        country="",
        owner="",
        next_question={"attribute": "", "text": "", "why": ""},
        next_best_action=dict.fromkeys(("to", "name", "channel", "message", "when", "why"), ""),
    )
    assert [line.plain for line in in_words(nothing, [], NOW)] == [
        f"an account without a name  ({ID})",
        "  too few active days for a rhythm",
    ]


def test_only_so_many_members_are_listed() -> None:
    [*_, one] = dossier().members
    many = dossier(members=[one] * 40)
    assert sum("Inkoper" in line for line in lines(many)) == 12
    assert "    and 28 more" in lines(many)


def test_of_many_crossings_the_latest_are_told_and_of_many_names_the_first() -> None:
    [one] = dossier().crossings
    crowded = msgspec.structs.replace(one, contacts=[SANNE, MARLEEN, "c3", "c4", "c5"])
    found = lines(dossier(crossings=[one] * 6 + [crowded]))
    begin = found.index("  paths crossed")
    assert found[begin + 1] == "    2 earlier ones, and"
    assert found[begin + 6].endswith(": Sanne de Klerk and Marleen Bos and c3 and 2 more")
    assert found[begin + 7] == ""
