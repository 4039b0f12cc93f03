"""An account as `show` and `explain` read it: a buyer who asked for a quote, a user, one who has left."""

from typing import Any

import msgspec

from schemas.events import (
    Action,
    CallFirst,
    Member,
    Question,
    RoleRow,
    ScorePart,
    SilenceRow,
    StageEntered,
)
from streams.dossier import Crossing, Dossier, Handoff, Journey, Touch

ID = "a0123456789abcde"
SANNE, MARLEEN, GONE = "c000000000000001", "c000000000000002", "c000000000000003"
MAIL = "marleen@deklerk.nl"


def handoff(attempt: int = 1, status: str = "open", **changes: Any) -> Handoff:
    plain = {
        "handoff_id": f"{ID}.2.{attempt}",
        "journey": 2,
        "attempt": attempt,
        "at": "2025-02-20T10:15:00.000Z",
        "score": 52.35,
        "reasons": ["Marleen Bos asked for a quote on 2025-02-20"],
        "call_first": CallFirst(MARLEEN, "Marleen Bos", "+31612345678", MAIL, "asked for a quote"),
        "status": status,
        "feedback_due": "2025-02-27T10:15:00.000Z",
    }
    return Handoff(**plain | changes)


def dossier(**changes: Any) -> Dossier:
    sanne = Member(
        *(SANNE, "Sanne de Klerk", [], None, None, "2025-02-01T08:00:00.000Z", "2025-02-20T08:00:00.000Z"),
        *(5, "consideration", 0.0),
        roles=[RoleRow("initiator", "behaviour", 0.4, "the first to touch", "2025-02-01T08:00:00.000Z")],
        engagement=5.0,
        reach="refuses e-mail; no phone number known",
        status="silent",
        steps=["howto viewed, pumps (2025-02-20)"],
    )
    marleen = Member(
        *(MARLEEN, "Marleen Bos", [f"email:{MAIL}"], None, None, "2025-02-11T08:00:00.000Z"),
        *("2025-02-20T10:15:00.000Z", 2, "evaluation", 10.0),
        job_title="Inkoper",
        roles=[RoleRow("buyer", "title", 0.8, "Inkoper", "2025-02-11T08:00:00.000Z")],
        engagement=45.0,
        reachable=True,
        reach="gave leave by e-mail",
        status="active",
        steps=["quote requested, pumps (2025-02-20)"],
    )
    gone = Member(GONE, "", [], None, "2025-01-05T00:00:00.000Z", None, None, 0, "", None)
    stages = [
        StageEntered("awareness", "2025-02-01T08:00:00.000Z", ["1"], corrected=False),
        StageEntered("evaluation", "2025-02-11T08:00:00.000Z", ["4"], corrected=False),
    ]
    plain: dict[str, Any] = {
        "tenant": "default",
        "account_id": ID,
        "kind": "organisation",
        "name": "De Klerk",
        "keys": ["domain:deklerk.nl"],
        "stage": "evaluation",
        "stage_since": "2025-02-11T08:00:00.000Z",
        "journey_id": f"{ID}.2",
        "members": [gone, sanne, marleen],
        "touches": 7,
        "first_seen": "2024-01-01T08:00:00.000Z",
        "last_seen": "2025-02-21T08:00:00.000Z",
        "industry": "installation",
        "employees": 34,
        "country": "NL",
        "journeys": [
            Journey(1, "2024-01-01T08:00:00.000Z", "2024-06-29T08:00:00.000Z", "gap", stages[:1]),
            Journey(
                *(2, "2025-02-01T08:00:00.000Z", None, "", stages),
                moments={"catalogue_request": "2025-02-03T08:00:00.000Z"},
                last_touch="2025-02-21T08:00:00.000Z",
            ),
        ],
        "roles_found": ["initiator", "buyer"],
        "roles_missing": ["decider"],
        "engagement": 50.0,
        "engagement_at": "2025-02-20T00:00:00.000Z",
        "half_life_days": 14.0,
        "score_parts": [
            ScorePart("2025-02-20", MARLEEN, 25.0, 1.3, {"quote_requested": 1}),
            ScorePart("2025-02-20", "", 2.0, 1.0, {"page_viewed": 2}),
            ScorePart("2025-02-06", SANNE, 31.0, 1.0, {"catalogue_requested": 3, "page_viewed": 1}),
        ],
        "status": "quiet",
        "silences": [
            SilenceRow("", "quiet", "2025-03-20T08:00:00.000Z", "2025-02-21T08:00:00.000Z", 27.2, 0.4, None)
        ],
        "crossings": [
            Crossing(2, "howto_viewed", "pumps", "2025-02-20T08:00:00.000Z", [SANNE, MARLEEN], caused_by=[])
        ],
        "handoffs": [handoff()],
        "orders": 1,
        "revenue": "4612.750000",
        "currency": "EUR",
        "owner": "jan",
        "interests": ["pumps"],
        "contact_points": [],
        "next_question": Question("employees", "How many people work there?", "it decides the segment"),
        "next_best_action": Action(
            MARLEEN, "Marleen Bos", "phone", "call about pumps", "2025-02-21", "she asked"
        ),
    }
    return msgspec.convert(msgspec.to_builtins(Dossier(**plain | changes)), Dossier)


TOUCHES = [
    Touch("2025-02-01T08:00:00.000Z", SANNE, "page_viewed", "pumps", "1"),
    Touch("2025-02-11T08:00:00.000Z", MARLEEN, "account_registered", "", "4"),
    Touch("2025-02-20T08:00:00.000Z", SANNE, "howto_viewed", "pumps", "5"),
    Touch("2025-02-20T10:15:00.000Z", MARLEEN, "quote_requested", "pumps", "6"),
    Touch("2025-02-21T08:00:00.000Z", "", "page_viewed", "pumps", "7"),
]
