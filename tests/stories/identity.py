"""The stories: the examples of the rules of identity, and what each rule says beyond them."""

from itertools import count

from tests.stories.told import NOBODY, PERSON, Line, Story, erase, people, record, touch

ACME, BETA = "domain:acme.nl", "domain:beta.nl"
JANE, BOB = "email:jane@acme.nl", "email:bob@acme.nl"


def _identified_people() -> list[Line]:
    """Jane and Bob, each with a CRM record."""
    return [
        record("r1", 0, contact_id="C1", email="jane@acme.nl"),
        record("r2", 1, contact_id="C2", email="bob@acme.nl"),
        touch("t1", 2, email="jane@acme.nl"),
        touch("t2", 3, email="bob@acme.nl"),
    ]


ONE_CONTACT = [
    Story(
        "two new identifiers on one touch are one contact",
        [touch("t1", 0, user_id="u1", email="jane@acme.nl")],
        contacts=[{"user_id:u1", JANE}],
        accounts=[{ACME}],
        touches={"t1": (JANE, ACME)},
    ),
    Story(
        "a cookie that was seen joins the one who logs in",
        [touch("t1", 0, anonymous_id="k1"), touch("t2", 5, anonymous_id="k1", email="jane@acme.nl")],
        contacts=[{JANE}],
        touches={"t1": (JANE, ACME), "t2": (JANE, ACME)},
        devices={"anonymous_id:k1": {JANE}},
    ),
    Story(
        "a known log-in takes a new cookie",
        [
            touch("t1", 0, email="jane@acme.nl"),
            touch("t2", 5, anonymous_id="k1", email="jane@acme.nl"),
            touch("t3", 6, anonymous_id="k1"),
        ],
        contacts=[{JANE}],
        touches={"t1": (JANE, ACME), "t2": (JANE, ACME), "t3": (JANE, ACME)},
    ),
    Story(
        "two people who are both identified stay two, whatever a touch says",
        [*_identified_people(), touch("t3", 4, contact_id="C1", email="bob@acme.nl")],
        contacts=[{"contact_id:C1", JANE}, {"contact_id:C2", BOB}],
        touches={"t1": (JANE, ACME), "t2": (BOB, ACME), "t3": (JANE, ACME)},
    ),
    Story(
        "a person says that they are one, by their addresses",
        [*_identified_people(), people("s1", 10, "link", JANE, BOB)],
        contacts=[{"contact_id:C1", "contact_id:C2", JANE, BOB}],
        touches={"t1": (JANE, ACME), "t2": (JANE, ACME)},
    ),
    Story(
        "a person makes one of two CRM records",
        [*_identified_people(), people("s1", 10, "link", "contact_id:C1", "contact_id:C2")],
        contacts=[{"contact_id:C1", "contact_id:C2", JANE, BOB}],
        touches={"t1": (BOB, ACME), "t2": (BOB, ACME)},
    ),
    Story(
        "an address stays with the first CRM record that had it",
        [
            touch("t1", 0, contact_id="abc123", email="jane@acme.nl"),
            touch("t2", 1, contact_id="abc456", email="jane@acme.nl"),
            touch("t3", 2, email="jane@acme.nl"),
        ],
        contacts=[{"contact_id:abc123", JANE}, {"contact_id:abc456"}],
        touches={"t1": (JANE, ACME), "t2": ("contact_id:abc456", PERSON), "t3": ("contact_id:abc123", ACME)},
    ),
    Story(
        "the CRM is believed before the web, also when it comes later",
        [
            touch("t1", 0, user_id="u1", email="jane@acme.nl"),
            record("r1", 5, contact_id="C1", email="jane@acme.nl", user_id="u2"),
            touch("t2", 6, user_id="u1"),
        ],
        contacts=[{"contact_id:C1", "user_id:u2", JANE}, {"user_id:u1"}],
        touches={"t1": ("user_id:u1", PERSON), "t2": ("user_id:u1", PERSON)},
    ),
    Story(
        "a fourth address is one too many, unless a person says so",
        [
            *(record(f"r{n}", n, contact_id="C1", email=f"jane{n}@acme.nl") for n in range(5)),
            people("s1", 9, "link", "contact_id:C1", "email:jane4@acme.nl"),
        ],
        contacts=[
            {"contact_id:C1", *(f"email:jane{n}@acme.nl" for n in (0, 1, 2, 4))},
            {"email:jane3@acme.nl"},
        ],
    ),
    Story(
        "a bot links sixteen at most",
        [touch(f"t{n:02}", n / 10, user_id="bot", email=f"p{n:02}@acme.nl") for n in range(17)],
        contacts=[{"user_id:bot"}, *({f"email:p{n:02}@acme.nl"} for n in range(17))],
        touches={f"t{n:02}": ("user_id:bot", PERSON) for n in range(17)},
    ),
    Story(
        "machines and we ourselves assert nothing",
        [
            touch("t1", 0, email="jane@acme.nl"),
            touch("t2", 1, contact_id="C1", email="jane@acme.nl", anonymous_id="k1", actor="machine"),
            touch("t3", 2, contact_id="C1", email="jane@acme.nl", actor="us", type="email_sent"),
            touch("t4", 3, anonymous_id="k1"),
        ],
        contacts=[{JANE}, {"contact_id:C1"}],
        touches={
            "t1": (JANE, ACME),
            "t2": ("contact_id:C1", PERSON),
            "t3": ("contact_id:C1", PERSON),
            "t4": (NOBODY, NOBODY),
        },
    ),
    Story(
        "a resend with a stronger identifier counts once",
        [
            touch("t1", 0, anonymous_id="k1"),
            touch("t1", 0, anonymous_id="k1", email="jane@acme.nl"),
            touch("t2", 1, anonymous_id="k1", email="jane@acme.nl"),
        ],
        contacts=[{JANE}],
        touches={"t1": (JANE, ACME), "t2": (JANE, ACME)},
    ),
]

WORTHLESS = [
    Story(
        "what says nothing links nobody, and the touch is kept",
        [
            touch(f"t{n:02}", n, email="jane@acme.nl", user_id=value)
            for n, value in enumerate(("", "null", "undefined", "[object Object]", "  ", "NaN"))
        ]
        + [touch("x1", 9, user_id="u9", email="undefined"), touch("x2", 9.5, user_id="null", email="")],
        contacts=[{JANE}, {"user_id:u9"}],
        touches={f"t{n:02}": (JANE, ACME) for n in range(6)}
        | {"x1": ("user_id:u9", PERSON), "x2": (NOBODY, NOBODY)},
    ),
    Story(
        "zeros, -1, null and anonymous identify nobody",
        [
            touch(f"t{n}", n, anonymous_id=value)
            for n, value in enumerate(("00000", "-1", None, "anonymous", "0000-0000"))
        ],
        contacts=[],
        touches={f"t{n}": (NOBODY, NOBODY) for n in range(5)},
    ),
    Story(
        "a role mailbox is nobody's, its firm counts",
        [
            touch("t1", 0, email="info@acme.nl"),
            touch("t2", 1, email="inkoop@acme.nl", user_id="u1"),
            touch("t3", 2, email="no-reply@gmail.com"),
        ],
        contacts=[{"user_id:u1"}],
        accounts=[{ACME}],
        touches={"t1": (NOBODY, ACME), "t2": ("user_id:u1", ACME), "t3": (NOBODY, NOBODY)},
    ),
    Story(
        "one address in many spellings",
        [
            touch("t1", 0, email="Jané@ACME.nl"),
            touch("t2", 1, email="mailto:jane\u0301@acme.nl?subject=hi"),
            touch("t3", 2, email="Jané de Vries <jané@acme.nl>"),
            touch("t4", 3, email=" JANE\u0301@Acme.NL. "),
        ],
        contacts=[{"email:jané@acme.nl"}],
        touches={f"t{n}": ("email:jané@acme.nl", ACME) for n in range(1, 5)},
    ),
    Story(
        "more than one address is none",
        [touch("t1", 0, email="jane@acme.nl, bob@acme.nl"), touch("t2", 1, email="jane@acme.nl;bob@acme.nl")],
        contacts=[],
        touches={"t1": (NOBODY, NOBODY), "t2": (NOBODY, NOBODY)},
    ),
    Story(
        "a domain in letters of its own",
        [
            touch("t1", 0, email="jane@bücher.example.nl"),
            touch("t2", 1, email="bob@xn--bcher-kva.example.nl"),
        ],
        contacts=[{"email:jane@xn--bcher-kva.example.nl"}, {"email:bob@xn--bcher-kva.example.nl"}],
        accounts=[{"domain:example.nl"}],
        touches={
            "t1": ("email:jane@xn--bcher-kva.example.nl", "domain:example.nl"),
            "t2": ("email:bob@xn--bcher-kva.example.nl", "domain:example.nl"),
        },
    ),
    Story(
        "phones, VAT and customer numbers in many spellings",
        [
            touch("t1", 0, phone="06-12345678", email="jane@acme.nl"),
            touch("t2", 1, phone="+31 6 1234 5678"),
            touch("t3", 2, phone="0031612345678"),
            record("r1", 3, vat_number="NL 8123.45.678.B01", account_id="A1"),
            touch("t4", 4, vat_number="nl812345678b01", source="erp", type="order_placed"),
            record("r2", 5, customer_number="100.234", account_id="A1"),
            touch("t5", 6, customer_number=" 100 234", source="erp", type="order_placed"),
        ],
        contacts=[{JANE}],
        touches={
            **{f"t{n}": (JANE, ACME) for n in (1, 2, 3)},
            **{f"t{n}": (NOBODY, "account_id:A1") for n in (4, 5)},
        },
        accounts=[{ACME}, {"account_id:A1", "vat_number:NL812345678B01", "customer_number:100234"}],
    ),
    Story(
        "whose domain it is says the public suffix list, its private part too",
        [
            touch("t1", 0, email="jane@mail.acme.co.uk"),
            touch("t2", 1, email="bob@acme.co.uk"),
            touch("t3", 2, email="eve@other.co.uk"),
            touch("t4", 3, email="ann@ann.github.io"),
            touch("t5", 4, email="tom@tom.github.io"),
        ],
        contacts=[
            {"email:jane@mail.acme.co.uk"},
            {"email:bob@acme.co.uk"},
            {"email:eve@other.co.uk"},
            {"email:ann@ann.github.io"},
            {"email:tom@tom.github.io"},
        ],
        accounts=[
            {"domain:acme.co.uk"},
            {"domain:other.co.uk"},
            {"domain:ann.github.io"},
            {"domain:tom.github.io"},
        ],
        touches={
            "t1": ("email:jane@mail.acme.co.uk", "domain:acme.co.uk"),
            "t2": ("email:bob@acme.co.uk", "domain:acme.co.uk"),
            "t3": ("email:eve@other.co.uk", "domain:other.co.uk"),
            "t4": ("email:ann@ann.github.io", "domain:ann.github.io"),
            "t5": ("email:tom@tom.github.io", "domain:tom.github.io"),
        },
    ),
    Story(
        "free mail is no firm",
        [
            touch(f"t{n}", n, email=f"jane@{host}")
            for n, host in enumerate(("gmail.com", "ziggomail.com", "kpnplanet.nl", "proximus.be", "hey.com"))
        ],
        contacts=[
            {f"email:jane@{host}"}
            for host in ("gmail.com", "ziggomail.com", "kpnplanet.nl", "proximus.be", "hey.com")
        ],
        accounts=[],
        touches={
            f"t{n}": (f"email:jane@{host}", PERSON)
            for n, host in enumerate(("gmail.com", "ziggomail.com", "kpnplanet.nl", "proximus.be", "hey.com"))
        },
    ),
]

MARY = "email:mary@acme.nl"

DEVICES = [
    Story(
        "one contact through two cookies",
        [
            touch("t1", 0, anonymous_id="c1"),
            touch("t2", 1, anonymous_id="c1", email="jane@acme.nl"),
            touch("t3", 2, anonymous_id="c2"),
            touch("t4", 3, anonymous_id="c2", email="jane@acme.nl"),
        ],
        contacts=[{JANE}],
        touches={f"t{n}": (JANE, ACME) for n in range(1, 5)},
        devices={"anonymous_id:c1": {JANE}, "anonymous_id:c2": {JANE}},
    ),
    Story(
        "Jane, nobody, Mary, nobody, nobody on one device",
        [
            touch("t1", 0, device_id="d1", email="jane@acme.nl"),
            touch("t2", 1, device_id="d1"),
            touch("t3", 2, device_id="d1", email="mary@acme.nl"),
            touch("t4", 3, device_id="d1"),
            touch("t5", 4, device_id="d1"),
        ],
        contacts=[{JANE}, {MARY}],
        touches={
            "t1": (JANE, ACME),
            "t2": (JANE, ACME),
            "t3": (MARY, ACME),
            "t4": (MARY, ACME),
            "t5": (MARY, ACME),
        },
        devices={"device_id:d1": {JANE, MARY}},
    ),
    Story(
        "a device before its first log-in, and after a reset",
        [
            touch("t1", 0, device_id="d1"),
            touch("t2", 1, device_id="d1"),
            touch("t3", 2, device_id="d1", user_id="u1"),
            touch("t4", 3, device_id="d2", user_id="u2"),
            touch("t5", 4, device_id="d2"),
        ],
        contacts=[{"user_id:u1"}, {"user_id:u2"}],
        touches={
            **{f"t{n}": ("user_id:u1", PERSON) for n in (1, 2, 3)},
            **{f"t{n}": ("user_id:u2", PERSON) for n in (4, 5)},
        },
    ),
    Story(
        "Bob logs in on Alice's phone",
        [
            touch("t1", 0, device_id="d1", email="jane@acme.nl"),
            touch("t2", 1, device_id="d1", email="bob@acme.nl"),
            touch("t3", 2, device_id="d1"),
        ],
        contacts=[{JANE}, {BOB}],
        touches={"t1": (JANE, ACME), "t2": (BOB, ACME), "t3": (BOB, ACME)},
    ),
    Story(
        "the look-back is ninety days",
        [
            touch("t1", 0, anonymous_id="k1"),
            touch("t2", 10, anonymous_id="k1"),
            touch("t3", 95, anonymous_id="k1", email="jane@acme.nl"),
        ],
        contacts=[{JANE}],
        touches={"t1": (NOBODY, NOBODY), "t2": (JANE, ACME), "t3": (JANE, ACME)},
    ),
    Story(
        "a device of four people is nobody's, but of their firm",
        [
            *(
                touch(f"t{n}", n, device_id="d1", email=f"{name}@acme.nl")
                for n, name in enumerate(("jane", "bob", "mary", "eve"))
            ),
            touch("t4", 5, device_id="d1"),
            touch("t5", 200, device_id="d1"),
        ],
        contacts=[{JANE}, {BOB}, {MARY}, {"email:eve@acme.nl"}],
        touches={
            "t0": (JANE, ACME),
            "t1": (BOB, ACME),
            "t2": (MARY, ACME),
            "t3": ("email:eve@acme.nl", ACME),
            "t4": (NOBODY, ACME),
            "t5": ("email:eve@acme.nl", ACME),
        },
    ),
    Story(
        "a device of four people of two firms is nobody's at all",
        [
            *(
                touch(f"t{n}", n, device_id="d1", email=f"{name}")
                for n, name in enumerate(("jane@acme.nl", "bob@acme.nl", "mary@acme.nl", "eve@beta.nl"))
            ),
            touch("t4", 5, device_id="d1"),
        ],
        contacts=[{JANE}, {BOB}, {MARY}, {"email:eve@beta.nl"}],
        touches={
            "t0": (JANE, ACME),
            "t1": (BOB, ACME),
            "t2": (MARY, ACME),
            "t3": ("email:eve@beta.nl", BETA),
            "t4": (NOBODY, NOBODY),
        },
    ),
    Story(
        "a person says whose cookie it is, and whose it is not",
        [
            touch("t1", 0, anonymous_id="k1"),
            touch("t2", 1, email="jane@acme.nl"),
            people("s1", 2, "link", "anonymous_id:k1", JANE),
            touch("t3", 3, anonymous_id="k2", email="jane@acme.nl"),
            touch("t4", 4, anonymous_id="k2"),
            people("s2", 5, "unlink", "anonymous_id:k2", JANE),
        ],
        contacts=[{JANE}],
        touches={"t1": (JANE, ACME), "t2": (JANE, ACME), "t3": (JANE, ACME), "t4": (NOBODY, NOBODY)},
    ),
    Story(
        "who does not want a profile gets no past of a cookie",
        [
            touch("t1", 0, anonymous_id="k1"),
            touch("t2", 1, anonymous_id="k1", email="jane@acme.nl"),
            touch("t3", 2, anonymous_id="k1"),
            record("r1", 3, type="consent_withdrawn", email="jane@acme.nl", consent={"profiling": False}),
        ],
        contacts=[{JANE}],
        touches={"t1": (NOBODY, NOBODY), "t2": (JANE, ACME), "t3": (NOBODY, NOBODY)},
    ),
    Story(
        "who wants a profile again gets it back",
        [
            touch("t1", 0, anonymous_id="k1"),
            touch("t2", 1, anonymous_id="k1", email="jane@acme.nl"),
            record("r1", 3, type="consent_withdrawn", email="jane@acme.nl", consent={"profiling": False}),
            record("r2", 4, type="consent_given", email="jane@acme.nl", consent={"profiling": True}),
        ],
        contacts=[{JANE}],
        touches={"t1": (JANE, ACME), "t2": (JANE, ACME)},
    ),
]

CORRECTED = [
    Story(
        "the identifier that came first is split off",
        [
            touch("t1", 0, user_id="u1"),
            touch("t2", 1, user_id="u1", email="jane@acme.nl"),
            record("r1", 2, contact_id="C1", email="jane@acme.nl"),
            touch("t3", 3, email="jane@acme.nl"),
            people("s1", 9, "unlink", "user_id:u1", JANE),
        ],
        contacts=[{"user_id:u1"}, {JANE, "contact_id:C1"}],
        touches={"t1": ("user_id:u1", PERSON), "t2": ("user_id:u1", PERSON), "t3": ("contact_id:C1", ACME)},
    ),
    Story(
        "what was unlinked and linked again is linked; the latest word counts",
        [
            touch("t1", 0, user_id="u1", email="jane@acme.nl"),
            people("s1", 3, "unlink", "user_id:u1", JANE),
            people("s2", 4, "link", "user_id:u1", JANE),
            touch("t2", 0, user_id="u2", email="bob@acme.nl"),
            people("s3", 6, "unlink", "user_id:u2", BOB),
            people("s4", 5, "link", "user_id:u2", BOB),
        ],
        contacts=[{"user_id:u1", JANE}, {"user_id:u2"}, {BOB}],
        touches={"t1": (JANE, ACME), "t2": ("user_id:u2", PERSON)},
    ),
    Story(
        "a cannot-link holds along every path",
        [
            touch("t1", 0, user_id="u1", email="jane@acme.nl"),
            record("r1", 1, contact_id="C1", user_id="u1"),
            people("s1", 5, "cannot_link", JANE, "contact_id:C1"),
            touch("t2", 6, email="jane@acme.nl"),
        ],
        contacts=[{"contact_id:C1", "user_id:u1"}, {JANE}],
        touches={"t1": ("user_id:u1", PERSON), "t2": (JANE, ACME)},
    ),
    Story(
        "a cannot-link is stronger than a link along another path",
        [
            *_identified_people(),
            people("s1", 5, "cannot_link", "contact_id:C1", "contact_id:C2"),
            people("s2", 6, "link", JANE, BOB),
        ],
        contacts=[{"contact_id:C1", JANE}, {"contact_id:C2", BOB}],
        touches={"t1": (JANE, ACME), "t2": (BOB, ACME)},
    ),
    Story(
        "an alias makes one account of two, a parent does not",
        [
            record("r1", 0, account_id="A1", domain="acme.nl"),
            record("r2", 1, account_id="A2", domain="beta.nl"),
            record("r3", 2, account_id="A3", domain="gamma.nl"),
            touch("t1", 3, email="jane@acme.nl"),
            touch("t2", 4, email="bob@beta.nl"),
            touch("t3", 5, email="eve@gamma.nl"),
            people("s1", 6, "alias", "account_id:A1", "account_id:A2"),
            people("s2", 7, "parent", "account_id:A3", "account_id:A1"),
        ],
        contacts=[{JANE}, {"email:bob@beta.nl"}, {"email:eve@gamma.nl"}],
        accounts=[{"account_id:A1", "account_id:A2", ACME, BETA}, {"account_id:A3", "domain:gamma.nl"}],
        touches={
            "t1": (JANE, BETA),
            "t2": ("email:bob@beta.nl", ACME),
            "t3": ("email:eve@gamma.nl", "account_id:A3"),
        },
    ),
    Story(
        "an account is split by a person",
        [
            record("r1", 0, account_id="A1", domain="acme.nl"),
            record("r2", 1, account_id="A1", domain="beta.nl"),
            touch("t1", 2, email="jane@acme.nl"),
            touch("t2", 3, email="bob@beta.nl"),
            people("s1", 9, "cannot_link", ACME, BETA),
        ],
        contacts=[{JANE}, {"email:bob@beta.nl"}],
        accounts=[{"account_id:A1", BETA}, {ACME}],
        touches={"t1": (JANE, ACME), "t2": ("email:bob@beta.nl", "account_id:A1")},
    ),
]

FIRMS = [
    Story(
        "two domains of one account",
        [
            touch("t1", 0, email="jane@acme.nl"),
            touch("t2", 1, email="bob@acme.nl"),
            touch("t3", 2, email="eve@acme.com"),
            record("r1", 3, account_id="7", domain="acme.nl"),
            record("r2", 4, account_id="7", domain="acme.com"),
        ],
        contacts=[{JANE}, {BOB}, {"email:eve@acme.com"}],
        accounts=[{"account_id:7", ACME, "domain:acme.com"}],
        touches={
            "t1": (JANE, "account_id:7"),
            "t2": (BOB, "account_id:7"),
            "t3": ("email:eve@acme.com", "account_id:7"),
        },
    ),
    Story(
        "three people of free mail are three accounts",
        [touch(f"t{n}", n, email=f"p{n}@gmail.com") for n in range(3)],
        contacts=[{f"email:p{n}@gmail.com"} for n in range(3)],
        accounts=[],
        touches={f"t{n}": (f"email:p{n}@gmail.com", PERSON) for n in range(3)},
    ),
    Story(
        "the CRM moves a domain to another account",
        [
            record("r1", 0, account_id="A1", domain="acme.nl"),
            touch("t1", 1, email="jane@acme.nl"),
            record("r2", 10, account_id="A2", domain="acme.nl"),
            touch("t2", 11, email="jane@acme.nl"),
        ],
        contacts=[{JANE}],
        touches={"t1": (JANE, "account_id:A2"), "t2": (JANE, "account_id:A2")},
    ),
    Story(
        "the CRM moves a domain there and back",
        [
            record("r1", 0, account_id="A1", domain="acme.nl"),
            touch("t1", 1, email="jane@acme.nl"),
            record("r2", 10, account_id="A2", domain="acme.nl"),
            record("r3", 20, account_id="A1", domain="acme.nl"),
        ],
        contacts=[{JANE}],
        touches={"t1": (JANE, "account_id:A1")},
    ),
    Story(
        "a job change leaves the past where it was",
        [
            record("r1", 0, contact_id="C1", email="jane@acme.nl", account_id="A1", domain="acme.nl"),
            touch("t1", 5, email="jane@acme.nl"),
            record("r2", 50, contact_id="C1", email="jane@beta.nl", account_id="A2", domain="beta.nl"),
            touch("t2", 60, email="jane@beta.nl"),
            touch("t3", 61, email="jane@acme.nl"),
        ],
        contacts=[{"contact_id:C1", JANE, "email:jane@beta.nl"}],
        accounts=[{"account_id:A1", ACME}, {"account_id:A2", BETA}],
        touches={"t1": (JANE, ACME), "t2": (JANE, BETA), "t3": (JANE, BETA)},
    ),
    Story(
        "a consultant counts for the client with that touch",
        [
            touch("t1", 0, email="jane@acme.nl"),
            touch("t2", 1, email="jane@acme.nl", domain="beta.nl"),
            touch("t3", 2, email="jane@acme.nl"),
        ],
        contacts=[{JANE}],
        accounts=[{ACME}, {BETA}],
        touches={"t1": (JANE, ACME), "t2": (JANE, BETA), "t3": (JANE, ACME)},
    ),
    Story(
        "of two own firms the address on the touch chooses",
        [
            touch("t1", 0, user_id="u1", email="jane@acme.nl"),
            touch("t2", 1, user_id="u1", email="jane@beta.nl"),
            touch("t3", 2, user_id="u1"),
            touch("t4", 3, email="jane@beta.nl"),
        ],
        contacts=[{"user_id:u1", JANE, "email:jane@beta.nl"}],
        accounts=[{ACME}, {BETA}],
        touches={"t1": (JANE, ACME), "t2": (JANE, BETA), "t3": (JANE, ACME), "t4": (JANE, BETA)},
    ),
    Story(
        "two employers told by two systems stand side by side",
        [
            record("r1", 0, contact_id="C1", email="jane@acme.nl", account_id="A1", domain="acme.nl"),
            record("r2", 1, source="erp", email="jane@beta.nl", account_id="A2", domain="beta.nl"),
            record("r3", 2, contact_id="C1", email="jane@beta.nl"),
            touch("t1", 5, email="jane@acme.nl"),
            touch("t2", 6, email="jane@beta.nl"),
            touch("t3", 7, contact_id="C1"),
        ],
        contacts=[{"contact_id:C1", JANE, "email:jane@beta.nl"}],
        touches={"t1": (JANE, ACME), "t2": (JANE, BETA), "t3": (JANE, BETA)},
    ),
    Story(
        "a person without a firm is taken up, past included, when the CRM tells the firm",
        [
            touch("t1", 0, email="jane@gmail.com"),
            record("r1", 10, contact_id="C1", email="jane@gmail.com", account_id="A1"),
            touch("t2", 20, email="jane@gmail.com"),
        ],
        contacts=[{"contact_id:C1", "email:jane@gmail.com"}],
        accounts=[{"account_id:A1"}],
        touches={"t1": ("contact_id:C1", "account_id:A1"), "t2": ("contact_id:C1", "account_id:A1")},
    ),
    Story(
        "names never merge, and a visitor's word about firms links none",
        [
            touch("t1", 0, email="jane@acme.nl", firm="Acme"),
            touch("t2", 1, email="bob@beta.nl", firm="Acme"),
            touch("t3", 2, email="eve@acme.nl", account_id="A9", domain="beta.nl"),
        ],
        contacts=[{JANE}, {"email:bob@beta.nl"}, {"email:eve@acme.nl"}],
        accounts=[{ACME}, {BETA}, {"account_id:A9"}],
        touches={
            "t1": (JANE, ACME),
            "t2": ("email:bob@beta.nl", BETA),
            "t3": ("email:eve@acme.nl", "account_id:A9"),
        },
    ),
    Story(
        "a firm without a person",
        [touch("t1", 0, source="erp", type="order_placed", customer_number="900", domain="acme.nl")],
        contacts=[],
        accounts=[{"customer_number:900", ACME}],
        touches={"t1": (NOBODY, ACME)},
    ),
]

ERASED = [
    Story(
        "one identifier is erased, and with it the whole contact",
        [
            touch("t1", 0, anonymous_id="k1"),
            touch("t2", 1, anonymous_id="k1", email="gone1@acme.nl"),
            record("r1", 2, contact_id="C77001", email="gone1@acme.nl", contact={"name": "Jane Erasme"}),
            touch("t3", 3, contact_id="C77001"),
            touch("t4", 4, email="bob@acme.nl"),
        ],
        contacts=[{BOB}],
        accounts=[{ACME}],
        touches={"t4": (BOB, ACME)},
        erased=("gone1@acme.nl", "C77001", "Jane Erasme"),
        last=(erase("q1", 30, "email:gone1@acme.nl"),),
    ),
    Story(
        "nobody is erased by a request that names a stranger",
        [touch("t1", 0, email="jane@acme.nl")],
        contacts=[{JANE}],
        touches={"t1": (JANE, ACME)},
        last=(erase("q1", 30, "email:nobody@acme.nl"),),
    ),
    Story(
        "who comes back after the erasure begins anew",
        [
            touch("t1", 0, email="jane@acme.nl", user_id="u1"),
            touch("t2", 1, anonymous_id="k1", user_id="u1"),
            touch("t3", 2, anonymous_id="k1"),
            touch("t4", 40, email="jane@acme.nl"),
            touch("t5", 41, user_id="u1"),
        ],
        contacts=[{JANE}, {"user_id:u1"}],
        touches={"t4": (JANE, ACME), "t5": ("user_id:u1", PERSON)},
        last=(erase("q1", 30, JANE),),
    ),
    Story(
        "an erased address is taken off somebody else's touch",
        [
            record("r1", 0, contact_id="C1", email="jane@acme.nl"),
            record("r2", 1, contact_id="C2", email="gone2@acme.nl"),
            touch("t1", 2, contact_id="C1", email="gone2@acme.nl"),
            touch("t2", 3, email="gone2@acme.nl"),
        ],
        contacts=[{"contact_id:C1", JANE}],
        touches={"t1": (JANE, ACME)},
        erased=("gone2@acme.nl",),
        last=(erase("q1", 30, "email:gone2@acme.nl"),),
    ),
    Story(
        "of a shared device only the spans of the erased go",
        [
            touch("t1", 0, device_id="d1", email="gone3@acme.nl"),
            touch("t2", 1, device_id="d1"),
            touch("t3", 2, device_id="d1", email="bob@acme.nl"),
            touch("t4", 3, device_id="d1"),
        ],
        contacts=[{BOB}],
        touches={"t3": (BOB, ACME), "t4": (BOB, ACME)},
        erased=("gone3@acme.nl",),
        last=(erase("q1", 30, "email:gone3@acme.nl"),),
    ),
    Story(
        "of a cookie only its own touches are erased",
        [
            touch("t1", 0, anonymous_id="k7701"),
            touch("t2", 1, anonymous_id="k7701", email="jane@acme.nl"),
        ],
        contacts=[{JANE}],
        touches={"t2": (JANE, ACME)},
        erased=("k7701",),
        last=(erase("q1", 30, "anonymous_id:k7701"),),
    ),
]

STORIES = {
    f"s{number:02}": story
    for number, story in zip(
        count(1), [*ONE_CONTACT, *WORTHLESS, *DEVICES, *CORRECTED, *FIRMS, *ERASED], strict=False
    )
}
