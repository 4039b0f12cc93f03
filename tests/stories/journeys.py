"""Stories of journeys: hand-offs and what became of them, roles, crossings, silence, orders, consent."""

from typing import Any

from tests.stories.told import Line, erase, people, record, touch
from tests.stories.told_journeys import Firm, Handed, JourneyStory, Quiet, Trip, command, order, outcome

ACME = "domain:acme.nl"
JANE, BOB, EVE = ({"email": f"{name}@acme.nl"} for name in ("jane", "bob", "eve"))
EVELIEN = {"email": "evelien@acme.nl"}  # in one story only: what is left of her is looked for everywhere
YES: dict[str, Any] = {"consent": {"marketing": True}}


def about(topic: str, content_id: str = "") -> dict[str, Any]:
    """The content of a touch."""
    return {"content": {"topic": topic} | ({"content_id": content_id} if content_id else {})}


def _demo(on: float = 0, who: dict[str, str] = JANE) -> Line:
    return touch(f"demo-{on}", on, "demo_requested", **who)


def _group(consent: dict[str, Any]) -> list[Line]:
    """Two people who compare: evaluation on day 1, 40 points on day 2."""
    return [
        touch("g1", 0, "catalogue_requested", **JANE, **consent),
        touch("g2", 1, "account_registered", **BOB),
        touch("g3", 2, "meeting_held", "crm", **JANE, **about("demo", "m-1")),
        touch("g4", 2, "meeting_held", "crm", **BOB, **about("demo", "m-1")),
    ]


GROUP = {"awareness": 0, "consideration": 0, "evaluation": 1}
ASKED = {"awareness": 0, "evaluation": 0}

REQUESTS = [
    JourneyStory(
        "who asks is handed over, whatever was said of mail, and nobody else's data is told",
        [
            touch("t0", -1, **BOB, **about("pumps")),
            _demo(),
            record("r1", 0, contact_id="C1", **JANE, phone="+31612345678", contact={"name": "Jane Jansen"}),
        ],
        [
            Firm(
                ACME,
                [
                    Trip(
                        {"awareness": -1, "evaluation": 0},
                        [Handed(0, "jane", lines={"email", "phone"}, shown={"jane"}, earlier=[])],
                        crossings=[],
                    )
                ],
                roles={"bob": {"initiator"}, "jane": set()},
                missing={"buyer", "decider"},
                reachable={"bob": False},
            )
        ],
    ),
    JourneyStory(
        "a second request, by a colleague, is news for the same hand-off",
        [_demo(), touch("t2", 3, "quote_requested", **BOB)],
        [
            Firm(
                ACME,
                [Trip(ASKED, [Handed(0, "jane", shown={"jane", "bob"})])],
                roles={"jane": {"initiator"}, "bob": {"buyer"}},
                missing={"decider"},
            )
        ],
        pauses=[1],
        told=[("handoff_updated",)],
    ),
    JourneyStory(
        "a request by the mailbox of the firm is handed over without a person",
        [touch("t1", 0, "call_requested", email="info@acme.nl")],
        [
            Firm(
                ACME,
                [Trip(ASKED, [Handed(0, "", lines={"email"})])],  # that of the mailbox
                roles={},
                missing={"user", "buyer", "decider"},
                also={"contact_points": ["info@acme.nl"]},
            )
        ],
    ),
    JourneyStory(
        "who withdraws consent after the request is not told to sales any more",
        [
            touch("t1", 0, "form_submitted", **JANE, **YES),
            touch("t2", 1, "demo_requested", **JANE),
            touch("t3", 3, "consent_withdrawn", **JANE, consent={"marketing": False}),
            touch("t4", 4, **BOB),
        ],
        [
            Firm(
                ACME,
                [
                    Trip(
                        {"awareness": 0, "evaluation": 1},
                        [Handed(1, "jane", lines=set(), shown=set())],
                    )
                ],
                reachable={"jane": False, "bob": False},
            )
        ],
    ),
    JourneyStory(
        "who had withdrawn consent and then asks may be approached about that",
        [
            touch("t1", 0, "unsubscribed", **JANE),
            touch("t2", 5, "demo_requested", **JANE),
        ],
        [
            Firm(
                ACME,
                [
                    Trip(
                        {"awareness": 0, "evaluation": 5},
                        [Handed(5, "jane", lines={"email"}, shown={"jane"})],
                    )
                ],
            )
        ],
    ),
    JourneyStory(
        "who refuses profiling completes stages and is no lead",
        [
            touch("t1", 0, **JANE, consent={"profiling": False}),
            touch("t2", 1, "demo_requested", **JANE),
            touch("t3", 1, "price_viewed", **JANE, **about("prices")),
            touch("t4", 2, "price_viewed", **BOB, **about("prices")),
        ],
        [
            Firm(
                ACME,
                [Trip({"awareness": 0, "evaluation": 1}, [], crossings=[])],
                roles={"jane": set(), "bob": {"buyer"}},
                missing={"user", "decider"},
            )
        ],
    ),
]

GROUPS = [
    JourneyStory(
        "a group that compares and may not be approached is no hand-off",
        _group({}),
        [Firm(ACME, [Trip(GROUP, [], crossings=[("meeting_held", "demo", 2, {"jane", "bob"})])])],
    ),
    JourneyStory(
        "a group that compares and may be approached is handed over",
        _group(YES),
        [
            Firm(
                ACME,
                [
                    Trip(
                        GROUP,
                        [Handed(2, "jane", lines={"email"}, shown={"jane"})],
                        crossings=[("meeting_held", "demo", 2, {"jane", "bob"})],
                    )
                ],
                roles={"jane": {"initiator"}, "bob": set()},
                missing={"buyer", "decider"},
                reachable={"jane": True, "bob": False},
            )
        ],
    ),
    JourneyStory(
        "consent by phone alone: sales gets the number, not the address",
        [*_group({"consent": {"phone": True}, "phone": "+31612345678"}), touch("t9", 3, **EVE)],
        [Firm(ACME, [Trip(GROUP, [Handed(2, "jane", lines={"phone"}, shown={"jane"})])])],
    ),
    JourneyStory(
        "consent that comes later makes the hand-off at the next touch",
        [
            *_group({}),
            touch("c1", 3, "consent_given", **BOB, consent={"email": True}),
            touch("t5", 4, **JANE),
        ],
        [Firm(ACME, [Trip(GROUP, [Handed(4, "bob", lines={"email"}, shown={"bob"})])])],
    ),
    JourneyStory(
        "who unsubscribed before the group was ready is not approached",
        [*_group({"consent": {"email": True}}), touch("u1", 1.5, "unsubscribed", **JANE)],
        [Firm(ACME, [Trip(GROUP, [])], reachable={"jane": False})],
    ),
    JourneyStory(
        "an address that bounced is good again when its owner comes back",
        [
            *_group({"consent": {"email": True}})[:3],
            touch("b1", 2.2, "email_bounced", "email", **JANE),
            touch("g4", 2.5, "meeting_held", "crm", **BOB, **about("demo", "m-2")),
            touch("t5", 4, **JANE),
        ],
        [Firm(ACME, [Trip(GROUP, [Handed(4, "jane")])])],
    ),
    JourneyStory(
        "the decider is called before the more active colleague",
        [
            *_group(YES),
            touch("x1", 1.2, "event_attended", **BOB, **YES),
            record("r1", 0, **BOB, contact_id="C2", contact={"job_title": "Directeur"}),
        ],
        [
            Firm(
                ACME,
                [Trip(GROUP, [Handed(2, "bob")])],
                roles={"jane": {"initiator"}, "bob": {"decider"}},
                missing={"buyer"},
            )
        ],
    ),
    JourneyStory(
        "rejected: the next attempt needs as much evidence again, newer than that",
        [
            *_group(YES),
            outcome("o1", 3, "rejected", reason="te vroeg", reason_code="bad_timing"),
            touch("t5", 4, "page_viewed", **JANE),
            touch("t6", 5, "meeting_held", "crm", **JANE, **about("demo", "m-2")),
            touch("t7", 5, "meeting_held", "crm", **BOB, **about("demo", "m-2")),
        ],
        [
            Firm(
                ACME,
                [
                    Trip(
                        GROUP,
                        [
                            Handed(2, "jane", "rejected", "rejected", reason="te vroeg", code="bad_timing"),
                            Handed(5, "jane", earlier=["rejected"]),
                        ],
                        crossings=[("meeting_held", "demo", 2, {"jane", "bob"})],
                    )
                ],
            )
        ],
    ),
]

OUTCOMES = [
    JourneyStory(
        "rejected, and a new request the week after",
        [
            _demo(),
            outcome("o1", 2, "rejected", reason_code="wrong_person"),
            touch("t2", 3, **JANE),
            touch("t3", 6, "quote_requested", **JANE),
        ],
        [
            Firm(
                ACME,
                [
                    Trip(
                        ASKED,
                        [
                            Handed(0, "jane", "rejected", "rejected", code="wrong_person"),
                            Handed(6, "jane", earlier=["rejected"]),
                        ],
                    )
                ],
            )
        ],
    ),
    JourneyStory(
        "accepted, worked on, recycled, and asked again in the same journey",
        [
            _demo(),
            outcome("o1", 1, "accepted"),
            outcome("o2", 2, "working"),
            outcome("o3", 10, "recycled", reason_code="bad_timing"),
            _demo(20),
        ],
        [
            Firm(
                ACME,
                [
                    Trip(
                        ASKED,
                        [Handed(0, "jane", "recycled", "recycled", code="bad_timing"), Handed(20, "jane")],
                    )
                ],
            )
        ],
    ),
    JourneyStory(
        "won, then nothing for half a year, then the next journey",
        [
            _demo(),
            outcome("o1", 1, "accepted"),
            outcome("o2", 5, "won", value=5000, currency="EUR"),
            touch("t2", 200, **JANE),
        ],
        [
            Firm(
                ACME,
                [
                    Trip(ASKED, [Handed(0, "jane", "won", "won", value=5000)], closed=("won", 180)),
                    Trip({"awareness": 200}),
                ],
                also={"stage": "awareness"},
            )
        ],
    ),
    JourneyStory(
        "lost: what follows is another journey, what happened before is not",
        [
            _demo(),
            outcome("o1", 5, "lost", reason="naar de concurrent", reason_code="competitor"),
            touch("t2", 6, **BOB),
            touch("t3", 4, "content_downloaded", **JANE),
        ],
        [
            Firm(
                ACME,
                [
                    Trip(
                        ASKED,
                        [Handed(0, "jane", "lost", "lost", reason="naar de concurrent", code="competitor")],
                        closed=("lost", 5),
                    ),
                    Trip({"awareness": 6}),
                ],
                roles={"jane": {"initiator"}, "bob": {"initiator"}},
            )
        ],
    ),
    JourneyStory(
        "closed by command: the hand-off expires and the next touch opens the next journey",
        [
            _demo(),
            command("k1", 5, "close_journey"),
            touch("t2", 6, **JANE),
        ],
        [
            Firm(
                ACME,
                [Trip(ASKED, [Handed(0, "jane", "expired")], closed=("command", 5)), Trip({"awareness": 6})],
            )
        ],
    ),
    JourneyStory(
        "nobody did anything with it: feedback is overdue, half a year later it has expired",
        [_demo(), touch("t2", 200, **JANE)],
        [
            Firm(
                ACME,
                [
                    Trip(ASKED, [Handed(0, "jane", "expired", "")], closed=("gap", 180)),
                    Trip({"awareness": 200}),
                ],
            )
        ],
        told=[("feedback_overdue", 7)],
    ),
    JourneyStory(
        "an outcome where nothing was handed over waits, and is refused",
        [touch("t1", 0, **JANE), outcome("o1", 1, "accepted"), touch("t2", 3, **JANE)],
        [Firm(ACME, [Trip({"awareness": 0})])],
        letters=["no_handoff"],
    ),
    JourneyStory(
        "an outcome before the hand-off, told late, is refused; one at its very time counts",
        [_demo(), outcome("o1", 0, "accepted"), outcome("o2", -1, "working"), touch("t2", 2, **JANE)],
        [Firm(ACME, [Trip(ASKED, [Handed(0, "jane", "accepted", "accepted")])])],
        letters=["no_handoff"],
    ),
    JourneyStory(
        "what sales works on cannot be rejected any more",
        [
            _demo(),
            outcome("o1", 1, "accepted"),
            outcome("o2", 2, "working"),
            outcome("o3", 3, "rejected"),
            touch("t2", 4, **JANE),
        ],
        [Firm(ACME, [Trip(ASKED, [Handed(0, "jane", "working", "working")])])],
        letters=["impossible_outcome"],
    ),
    JourneyStory(
        "an outcome counts for the hand-off it names, also when another is open; none is accepted once lost",
        [_demo(), outcome("o1", 5, "lost"), _demo(6), touch("t3", 9, **JANE)],
        [
            Firm(
                ACME,
                [
                    Trip(ASKED, [Handed(0, "jane", "lost", "lost", reason="alsnog")], closed=("lost", 5)),
                    Trip({"awareness": 6, "evaluation": 6}, [Handed(6, "jane", "accepted", "accepted")]),
                ],
            )
        ],
        after=[
            outcome("o2", 7, "lost", handoff_id=f"{{{ACME}}}.1.1", reason="alsnog"),
            outcome("o3", 7, "accepted", handoff_id=f"{{{ACME}}}.2.1"),
            outcome("o4", 8, "accepted", handoff_id=f"{{{ACME}}}.1.1"),
        ],
        letters=["impossible_outcome"],
    ),
    *(
        JourneyStory(
            f"an outcome for the hand-off of a firm that has become another one, asked at {asked}",
            [
                touch("t1", 0, **JANE, account_id="A", firm="Acme"),
                touch("t2", 0, email="kim@beta.nl", account_id="B", firm="Beta"),
                touch("t3", 1, "demo_requested", **who, account_id=asked),
                touch("t4", 6, **JANE, account_id="A"),
            ],
            [
                Firm(
                    "account_id:A",
                    [Trip({"awareness": 0, "evaluation": 1}, [Handed(1, name, "working", "working")])],
                )
            ],
            after=[
                people("s1", 3, "alias", "account_id:A", "account_id:B"),
                outcome("o1", 2, "working", handoff_id=f"{{account_id:{asked}}}.1.1"),
            ],
        )
        for asked, name, who in (("A", "jane", JANE), ("B", "kim", {"email": "kim@beta.nl"}))
    ),
]

TITLES = {
    "ann": ("Assistent inkoper", {"influencer"}),
    "ben": ("Office Manager", set[str]()),
    "cas": ("VP Engineering", {"influencer"}),
    "dee": ("Inside Sales", set[str]()),
    "els": ("Directiesecretaresse", {"gatekeeper"}),
    "fay": ("PA to the CEO", {"gatekeeper"}),
    "gil": ("Hoofd Inkoop", {"buyer"}),
    "han": ("Head of Digital", {"influencer"}),
    "ivo": ("COO", {"decider"}),
    "jan": ("Servicemonteur", {"user"}),
    "kay": ("IT-manager", {"influencer"}),
    "lea": ("Eigenaar / planner", {"decider", "user"}),
    "mia": ("Secretary to the Managing Director", {"gatekeeper"}),
    "noa": ("Werkvoorbereider", {"user"}),
    "oda": ("Purchasing Manager", {"buyer"}),
}

ROLES = [
    JourneyStory(
        "titles say who decides, and some only seem to",
        [
            touch("t0", 0, "demo_requested", **JANE),
            *(
                record(
                    f"r-{name}",
                    1,
                    contact_id=f"C-{name}",
                    email=f"{name}@acme.nl",
                    contact={"job_title": title},
                )
                for name, (title, _) in TITLES.items()
            ),
        ],
        [
            Firm(
                ACME,
                [Trip(ASKED, [Handed(0, "jane")])],
                roles={"jane": {"initiator"}} | {name: roles for name, (_, roles) in TITLES.items()},
                missing=set(),
            )
        ],
    ),
    JourneyStory(
        "neither office manager, inside sales, VP nor secretary decides or buys",
        [
            touch("t0", 0, "demo_requested", email="ben@acme.nl", contact={"job_title": "Office manager"}),
            *(
                record(
                    f"r-{name}",
                    1,
                    contact_id=f"C-{name}",
                    email=f"{name}@acme.nl",
                    contact={"job_title": title},
                )
                for name, title in (
                    ("ann", "assistent inkoper"),
                    ("cas", "VP Engineering"),
                    ("dee", "inside sales"),
                    ("els", "secretaresse"),
                    ("han", "Head of Operations"),
                )
            ),
        ],
        [Firm(ACME, [Trip(ASKED, [Handed(0, "ben")])], missing={"buyer", "decider"})],
    ),
    JourneyStory(
        "a command goes before the title, and can take a role away",
        [
            touch("t1", 0, "quote_requested", **JANE),
            record("r1", 0, **BOB, contact_id="C2", contact={"job_title": "Directeur"}),
            command("k1", 1, "remove_role", **BOB, role="decider"),
            command("k2", 1, "assign_role", **BOB, role="gatekeeper"),
            command("k3", 1, "assign_role", **JANE, role="decider"),
            command("k4", 2, "remove_role", **JANE, role="decider"),
            command("k5", 3, "set_owner", owner="anna"),
            command("k6", 4, "assign_segment", scheme="value", segment="gold"),
        ],
        [
            Firm(
                ACME,
                [Trip(ASKED, [Handed(0, "jane")])],
                roles={"jane": {"initiator", "buyer"}, "bob": {"gatekeeper"}},
                missing={"decider"},
                also={"owner": "anna", "segments": {"value": "gold"}},
            )
        ],
    ),
    JourneyStory(
        "the role in the CRM goes before the title; of two commands the latest holds",
        [
            touch("t1", 0, "catalogue_requested", **JANE),
            record("r1", 0, **BOB, contact_id="C2", contact={"job_title": "planner", "role": "decider"}),
            command("k1", 1, "remove_role", **JANE, role="buyer"),
            command("k2", 2, "assign_role", **JANE, role="buyer"),
        ],
        [
            Firm(
                ACME,
                [Trip({"awareness": 0, "consideration": 0})],
                roles={"jane": {"initiator", "buyer"}, "bob": {"decider", "user"}},
                missing=set(),
            )
        ],
    ),
    JourneyStory(
        "what a consultant does for a client counts for the client",
        [
            touch("t1", 0, **JANE),
            touch("t2", 1, email="kim@advies.nl"),
            touch("t3", 2, "quote_requested", email="kim@advies.nl", domain="acme.nl"),
        ],
        [
            Firm(ACME, [Trip({"awareness": 0, "evaluation": 2}, [Handed(2, "kim", lines={"email"})])]),
            Firm("domain:advies.nl", [Trip({"awareness": 1})]),
        ],
    ),
    JourneyStory(
        "who leaves takes the role along, and starts anew elsewhere",
        [
            record(
                "r1",
                0,
                contact_id="C1",
                email="jane@acme.nl",
                account_id="A",
                contact={"job_title": "Directeur"},
            ),
            touch("t1", 1, "demo_requested", contact_id="C1", email="jane@acme.nl"),
            touch("t2", 2, **BOB, account_id="A"),
            record(
                *("r2", 20),
                contact_id="C1",
                email="jane@beta.nl",
                account_id="B",
                domain="beta.nl",
                contact={"job_title": "planner"},
            ),
            touch("t3", 22, contact_id="C1", email="jane@beta.nl"),
        ],
        [
            Firm(
                "account_id:A",
                [Trip({"awareness": 1, "evaluation": 1}, [Handed(1, "jane")])],
                missing={"user", "buyer", "decider"},
            ),
            Firm(
                "account_id:B",
                [Trip({"awareness": 22})],
                roles={"jane": {"initiator", "user"}},
                missing=set(),
            ),
        ],
        told=[("contact_left", 20), ("champion_moved", 20)],
    ),
]

PATHS = [
    JourneyStory(
        "two at one meeting, told with and without its topic, share it once",
        [
            touch("t1", 0, "meeting_held", "crm", **JANE, content={"content_id": "m-1"}),
            touch("t2", 0, "meeting_held", "crm", **BOB, **about("roadmap", "m-1")),
            touch("t3", 3, "meeting_held", "crm", **EVE, **about("roadmap", "m-2")),
        ],
        [
            Firm(
                ACME,
                [
                    Trip(
                        ASKED,
                        crossings=[("meeting_held", "roadmap", 0, {"jane", "bob", "eve"})],
                    )
                ],
            )
        ],
    ),
    JourneyStory(
        "steps without a topic, home and contact are nobody's crossing, nor is one's own way back",
        [
            *(
                touch(f"j{n}", n, **JANE, **about(topic))
                for n, topic in enumerate(("home", "contact", "pumps", "pumps"))
            ),
            touch("j5", 4, **JANE),
            *(touch(f"b{n}", n + 5, **BOB, **about(topic)) for n, topic in enumerate(("home", "contact"))),
            touch("b5", 8, **BOB),
            touch("b6", 9, "product_viewed", **BOB, **about("pumps")),
            touch("b7", 10, **BOB, **about("pumps")),
            touch("e1", 11, **EVE, **about("pumps")),
        ],
        [
            Firm(
                ACME,
                [
                    Trip(
                        {"awareness": 0, "consideration": 2, "evaluation": 9},
                        crossings=[("page_viewed", "pumps", 10, {"jane", "bob", "eve"})],
                    )
                ],
            )
        ],
    ),
    JourneyStory(
        "what two did in two journeys does not cross, nor opened mail",
        [
            touch("t1", 0, **JANE, **about("pumps")),
            touch("t2", 0, "email_opened", "email", **JANE, **about("news")),
            touch("t3", 200, **BOB, **about("pumps")),
            touch("t4", 200, "email_opened", "email", **BOB, **about("news")),
        ],
        [
            Firm(
                ACME,
                [
                    Trip({"awareness": 0}, crossings=[], closed=("gap", 180)),
                    Trip({"awareness": 200}, crossings=[]),
                ],
            )
        ],
    ),
    JourneyStory(
        "a skipped stage that is completed later is a moment",
        [_demo(), touch("t2", 3, "catalogue_requested", **JANE)],
        [
            Firm(
                ACME,
                [Trip(ASKED, [Handed(0, "jane")], moments={"catalogue_request": 3, "consideration": 3})],
                also={"stage": "evaluation"},
            )
        ],
    ),
    JourneyStory(
        "a page view that comes late moves the beginning",
        [_demo(), touch("t2", -20, anonymous_id="k1"), touch("t3", 1, **JANE, anonymous_id="k1")],
        [Firm(ACME, [Trip({"awareness": -20, "evaluation": 0}, [Handed(0, "jane")])])],
        pauses=[1],
        told=[("stage_corrected", "awareness", 0, -20)],
    ),
    JourneyStory(
        "a late touch joins two journeys into one",
        [
            touch("t1", 0, "catalogue_requested", **JANE),
            touch("t2", 200, "demo_requested", **JANE),
            touch("t3", 100, **BOB),
        ],
        [Firm(ACME, [Trip({"awareness": 0, "consideration": 0, "evaluation": 200}, [Handed(200, "jane")])])],
        pauses=[2],
        told=[("stage_corrected", "awareness", 200, None), ("stage_corrected", "evaluation", 200, None)],
    ),
    JourneyStory(
        "opened mail opens nothing and prolongs nothing",
        [
            touch("t1", 0, **JANE),
            touch("t2", 170, "email_opened", "email", **JANE),
            touch("t3", 190, **JANE),
            touch("t4", 5, "email_opened", "email", email="kim@beta.nl"),
        ],
        [
            Firm(ACME, [Trip({"awareness": 0}, closed=("gap", 180)), Trip({"awareness": 190})]),
            Firm("domain:beta.nl", [], also={"stage": ""}, status={"": "unknown"}),
        ],
    ),
]

SILENCE = [
    JourneyStory(
        "a quarterly customer is not silent after two months",
        [order(f"o{n}", 91 * n, f"N{n}", 100, source="erp", customer_number="77") for n in range(5)],
        [
            Firm(
                "customer_number:77",
                [Trip({"awareness": 0, "purchase": 0, "loyalty": 182})],
                roles={},
                missing={"user", "buyer", "decider"},
                status={"": "active"},
                trade={"orders": 5, "revenue": 500, "aov": 100, "return_rate": 0, "unconverted": {}},
            )
        ],
        clock=364 + 61,
    ),
    JourneyStory(
        "a weekly reader is silent after six weeks; opened mail is no sign of life",
        [
            *(touch(f"t{n}", 7 * n, "email_clicked", "email", **JANE) for n in range(12)),
            *(touch(f"m{n}", 80 + 7 * n, "email_opened", "email", **JANE) for n in range(10)),
        ],
        [
            Firm(
                ACME,
                [Trip({"awareness": 0})],
                silence=[Quiet("", "silent", 77 + 28, 77 + 56), Quiet("jane", "silent", 77 + 28, 77 + 56)],
                status={"": "silent", "jane": "silent"},
            )
        ],
        clock=77 + 63,
    ),
    JourneyStory(
        "three touches, then nothing: silent after ten weeks, over after half a year",
        [touch(f"t{n}", 3 * n, **JANE) for n in range(3)],
        [
            Firm(
                ACME,
                [Trip({"awareness": 0}, closed=("gap", 186))],
                silence=[Quiet("", "silent", 6 + 56, 6 + 84)],
                status={"": "silent"},
            )
        ],
        clock=300,
    ),
    JourneyStory(
        "two touches say nothing of a rhythm",
        [touch(f"t{n}", 3 * n, **JANE) for n in range(2)],
        [
            Firm(
                ACME, [Trip({"awareness": 0}, closed=("gap", 183))], status={"": "unknown", "jane": "unknown"}
            )
        ],
        clock=300,
    ),
    JourneyStory(
        "several touches on one day are one active day",
        [touch(f"t{n}", n / 50, **JANE) for n in range(10)],
        [Firm(ACME, [Trip({"awareness": 0})], status={"": "unknown"})],
        clock=150,
    ),
    JourneyStory(
        "back after ten silent weeks: the silence is over and remains known",
        [
            *(touch(f"t{n}", 7 * n, **JANE) for n in range(8)),
            touch("t9", 49 + 90, **JANE),
        ],
        [
            Firm(
                ACME,
                [Trip({"awareness": 0})],
                silence=[Quiet("", "silent", 49 + 28, 49 + 63, ended=139)],
                status={"": "active"},
            )
        ],
    ),
    JourneyStory(
        "one colleague is silent, the account is not",
        [
            *(touch(f"j{n}", 7 * n, **JANE) for n in range(8)),
            *(touch(f"b{n}", 7 * n + 1, **BOB) for n in range(18)),
        ],
        [
            Firm(
                ACME,
                [Trip({"awareness": 0})],
                silence=[Quiet("jane", "silent", 49 + 28, 49 + 63)],
                status={"": "active", "jane": "silent", "bob": "active"},
            )
        ],
    ),
    JourneyStory(
        "who refuses profiling gives no rhythm",
        [touch(f"t{n}", 3 * n, **JANE, consent={"profiling": False}) for n in range(4)],
        [Firm(ACME, [Trip({"awareness": 0})], status={"": "unknown", "jane": "unknown"})],
        clock=150,
    ),
]

TRADE = [
    JourneyStory(
        "shop and ERP tell of one order: one order, the ERP's value",
        [
            touch("t1", 0, **JANE),
            order(
                "shop-1",
                10,
                "900",
                120,
                **JANE,
                commerce={"lines": [{"sku": "p1", "product_family": "pumps"}]},
            ),
            order("erp-77", 10.2, "900", 95.5, source="erp", customer_number="77", domain="acme.nl"),
        ],
        [
            Firm(
                ACME,
                [Trip({"awareness": 0, "purchase": 10}, moments={"first_order": 10})],
                roles={"jane": {"initiator", "buyer"}},
                missing={"decider"},
                trade={"orders": 1, "revenue": 95.5, "aov": 95.5, "return_rate": 0, "families": ["pumps"]},
            )
        ],
    ),
    JourneyStory(
        "a cancelled order is no revenue",
        [
            order("o1", 5, "A", 200, **JANE),
            order("o2", 6, "B", 300, **JANE),
            touch("o3", 7, "order_cancelled", "erp", **JANE, commerce={"order_id": "A"}),
        ],
        [
            Firm(
                ACME,
                [Trip({"awareness": 5, "purchase": 5})],
                trade={"orders": 1, "revenue": 300, "aov": 300, "return_rate": 0},
            )
        ],
    ),
    JourneyStory(
        "a return takes off revenue and counts in the rate",
        [
            order("o1", 0, "A", 400, **JANE),
            order("o2", 9, "A", 150, "order_returned", **JANE, commerce={"return_reason": "damaged"}),
            order("o3", 20, "B", 100, **JANE),
        ],
        [
            Firm(
                ACME,
                [Trip({"awareness": 0, "purchase": 0})],
                trade={"orders": 2, "revenue": 350, "aov": 250, "return_rate": 0.5},
            )
        ],
    ),
    JourneyStory(
        "dollars are kept and not added",
        [
            order("o1", 0, "A", 100, **JANE),
            order("o2", 1, "B", 250, **JANE, commerce={"currency": "USD"}),
        ],
        [
            Firm(
                ACME,
                [Trip({"awareness": 0, "purchase": 0})],
                trade={"orders": 2, "revenue": 100, "aov": 100, "unconverted": {"USD": 250.0}},
            )
        ],
    ),
    JourneyStory(
        "a how-to before the order is no experience, after it it is; two more orders are loyalty",
        [
            touch("t1", 0, "howto_viewed", **JANE),
            order("o1", 1, "A", 10, **JANE),
            touch("t2", 2, "howto_viewed", **BOB),
            order("o2", 30, "B", 10, **JANE),
            order("o3", 60, "C", 10, **JANE),
        ],
        [
            Firm(
                ACME,
                [
                    Trip(
                        {"awareness": 0, "purchase": 1, "experience": 2, "loyalty": 60},
                        moments={"first_after_sales": 2},
                    )
                ],
                roles={"jane": {"initiator", "user", "buyer"}, "bob": {"user"}},
                missing={"decider"},
                silence=[],
                trade={"orders": 3, "revenue": 30},
            )
        ],
    ),
    JourneyStory(
        "the CRM is believed before a form; what was intended long ago is not used any more",
        [
            record(
                "r1", 0, account_id="A", domain="acme.nl", organisation={"employees": 50, "industry": "bouw"}
            ),
            touch("t1", 5, "form_submitted", **JANE, organisation={"employees": 80, "budget": "10000"}),
            touch(
                "t2", 6, "form_submitted", **JANE, contact={"job_title": "inkoper", "language": "Nederlands"}
            ),
            touch("t3", 120, **JANE),
        ],
        [
            Firm(
                ACME,
                [Trip({"awareness": 5})],
                roles={"jane": {"initiator", "buyer"}},
                facts={
                    ("", "employees"): "50",
                    ("", "budget"): None,  # an intention of 115 days ago
                    ("", "industry"): "bouw",
                    ("jane", "job_title"): "inkoper",
                    ("jane", "language"): "nl",
                },
            )
        ],
    ),
]

MORE = [
    JourneyStory(
        "won, and a new request within the same journey is its second attempt",
        [_demo(), outcome("o1", 5, "won", value=100), touch("t2", 20, "quote_requested", **JANE)],
        [
            Firm(
                ACME,
                [
                    Trip(
                        ASKED,
                        [Handed(0, "jane", "won", "won", value=100), Handed(20, "jane", earlier=["won"])],
                    )
                ],
            )
        ],
    ),
    JourneyStory(
        "lost, where nothing was handed over, ends no journey",
        [touch("t1", 0, **JANE), outcome("o1", 2, "lost"), touch("t2", 3, **JANE)],
        [Firm(ACME, [Trip({"awareness": 0})])],
        letters=["no_handoff"],
    ),
    JourneyStory(
        "an outcome for a firm that nobody knows",
        [touch("t1", 0, **JANE), outcome("o1", 2, "accepted", domain="nobody-knows.nl")],
        [Firm(ACME, [Trip({"awareness": 0})])],
        letters=["no_handoff"],
    ),
    JourneyStory(
        "what has expired cannot be accepted any more",
        [_demo(), touch("t2", 200, **JANE)],
        [
            Firm(
                ACME,
                [Trip(ASKED, [Handed(0, "jane", "expired")], closed=("gap", 180)), Trip({"awareness": 200})],
            )
        ],
        after=[outcome("o1", 199, "accepted", handoff_id=f"{{{ACME}}}.1.1")],
        letters=["impossible_outcome"],
    ),
    JourneyStory(
        "who buys before sales is needed is not handed over",
        [*_group(YES), order("o1", 1.5, "A", 100, **BOB)],
        [Firm(ACME, [Trip(GROUP | {"purchase": 1.5}, [])], trade={"orders": 1, "revenue": 100})],
    ),
    JourneyStory(
        "two who are in consideration compare once both were active within thirty days",
        [
            touch("t1", 0, "catalogue_requested", **JANE),
            touch("t2", 40, "catalogue_requested", **BOB),
            touch("t3", 45, **JANE),
        ],
        [Firm(ACME, [Trip({"awareness": 0, "consideration": 0, "evaluation": 45})])],
    ),
    JourneyStory(
        "downloads thirty days apart belong together, at an hour more they do not",
        [
            touch("t1", 0, "content_downloaded", **JANE),
            touch("t2", 30, "content_downloaded", **JANE),
            touch("t3", 0, "content_downloaded", email="kim@beta.nl"),
            touch("t4", 30 + 1 / 24, "content_downloaded", email="kim@beta.nl"),
        ],
        [
            Firm(ACME, [Trip({"awareness": 0, "consideration": 30})]),
            Firm("domain:beta.nl", [Trip({"awareness": 0})]),
        ],
    ),
    JourneyStory(
        "two firms turn out to be one: one hand-off, the other one's request is news for it",
        [
            touch("t1", 0, "demo_requested", **JANE, account_id="A"),
            touch("t2", 1, "demo_requested", email="kim@beta.nl", account_id="B"),
            touch("t3", 2, **JANE, account_id="A"),
            people("s1", 3, "alias", "account_id:A", "account_id:B"),
        ],
        [Firm("account_id:A", [Trip(ASKED, [Handed(0, "jane", shown={"jane", "kim"})])])],
        pauses=[3],
    ),
    JourneyStory(
        "sixty visits in one day are not more than forty points",
        [touch(f"t{n:02}", n / 100, "product_viewed", **JANE, **YES) for n in range(60)]
        + [touch("t99", 28, "meeting_held", "crm", **JANE)],
        [Firm(ACME, [Trip({"awareness": 0, "evaluation": 28}, [])], reachable={"jane": True})],
    ),
    JourneyStory(
        "somebody without a firm asks, and it is won by the id of the hand-off",
        [
            touch("t1", 0, "demo_requested", email="loes@gmail.com", contact={"name": "Loes Klus"}),
            order("o1", 8, "A", 80, email="loes@gmail.com"),
        ],
        [
            Firm(
                "email:loes@gmail.com",
                [
                    Trip(
                        ASKED | {"purchase": 8},
                        [Handed(0, "loes", "won", "won", lines={"email"}, shown={"loes"}, value=80)],
                    )
                ],
                roles={"loes": {"initiator", "buyer"}},
                missing={"decider"},
                trade={"orders": 1, "revenue": 80},
            )
        ],
        after=[outcome("o2", 9, "won", handoff_id="{email:loes@gmail.com}.1.1", value=80, currency="EUR")],
    ),
    JourneyStory(
        "quiet comes before silent",
        [touch(f"t{n}", 7 * n, **JANE) for n in range(12)],
        [
            Firm(
                ACME,
                [Trip({"awareness": 0})],
                silence=[Quiet("", "quiet", 77 + 20, 77 + 42), Quiet("", "silent", 77 + 28, 77 + 56)],
                status={"": "silent"},
            )
        ],
        clock=77 + 63,
    ),
]

ERASED = [
    JourneyStory(
        "the one who asked for the demo is erased: no hand-off, no trace",
        [
            touch("t1", 0, **EVELIEN, contact={"name": "Evelien Eversdijk", "job_title": "COO"}, **YES),
            touch("t2", 1, "demo_requested", **EVELIEN),
            touch("t3", 2, **BOB),
            touch("t4", 3, **EVELIEN, **about("pumps")),
            touch("t5", 4, **BOB, **about("pumps")),
        ],
        [
            Firm(
                ACME,
                [Trip({"awareness": 2}, [], crossings=[])],
                roles={"bob": {"initiator"}},
            )
        ],
        after=[erase("p1", 5, "email:evelien@acme.nl")],
        erased=("evelien@acme.nl", "Eversdijk"),
    ),
]

STORIES = {
    f"j{number}": story
    for number, story in enumerate(
        [*REQUESTS, *GROUPS, *OUTCOMES, *ROLES, *PATHS, *SILENCE, *TRADE, *MORE, *ERASED]
    )
}
