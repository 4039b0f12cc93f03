"""The identity map is a pure function of the SET of statements, whatever the order, cuts, crashes.

The oracle reads the rules of the spec off the whole set at once: no increments, no sweeps; a span is found
by asking, at every time at which anything can change, who is there.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.identity import MapRow
from schemas.internal import (
    ISSUED_KINDS,
    Asserted,
    Employed,
    Evidence,
    Link,
    Named,
    Owns,
    Profiling,
    Seen,
    kind_of,
)
from schemas.keys import hasher
from schemas.times import DAY_MS, HOUR_MS, from_rfc3339, rfc3339
from schemas.topics import EVIDENCE, LINKS, MAP
from streams.core import Output, Record, StepConfig
from streams.identity import resolver, rows
from streams.identity.spans import NOBODY
from streams.identity.step import Identity
from streams.session import CLAIM, Session, pack_version

KEY_OF = hasher("secret")
TENANT = "t"
BEFORE = 0  # a time before all of them
BY_ADDRESS = 1 << 50  # and one after them: since when a domain is known of which addresses alone tell
PARTNERS, ACCOUNT_PARTNERS, OWNERS, NAMED, WORDS = (
    3,
    4,
    5,
    2,
    3,
)  # small bounds, so that a small set reaches them

STRONG = (
    *(f"contact_id:{n}" for n in range(3)),
    *(f"user_id:{n}" for n in range(3)),
    *(f"email:{name}@acme.nl" for name in "abc"),
    "email:d@sub.beta.nl",
    "email:e@beta.nl",
    "email:f@gmail.com",
)
WEAK = ("anonymous_id:1", "phone:2")
ACCOUNTS = (
    *(f"account_id:{n}" for n in range(3)),
    "customer_number:1",
    *(f"vat_number:{n}" for n in range(2)),
    "domain:acme.nl",
    "domain:beta.nl",
    "domain:other.nl",
)
DOMAINS = {"acme.nl": "domain:acme.nl", "sub.beta.nl": "domain:beta.nl", "beta.nl": "domain:beta.nl"}
STRENGTH = {kind: n for n, kind in enumerate(dict.fromkeys(kind_of(one) for one in (*STRONG, *ACCOUNTS)))}
LIMITS = {"contact_id": 1, "user_id": 1, "email": 3, "account_id": 1, "vat_number": 1}
RANKS = {"steward": 0, "crm": 1, "crm2": 1, "erp": 2, "web": 3}
REFUSALS = {
    "contact_id": "two CRM contact ids",
    "user_id": "two log-ins",
    "email": "more than three e-mail addresses",
    "account_id": "two CRM accounts",
    "vat_number": "two VAT numbers",
}
WINDOW = 90 * DAY_MS

Statement = Seen | Link | Owns | Named | Employed | Profiling | Asserted
Span = tuple[int | None, str | None, str | None, bool]
Spans = list[tuple[int | None, str | None, str | None]]
Content = tuple[list[Span], dict[str, str], dict[str, str]]  # spans, accounts, places
Fared = tuple[str, str, int | None]  # state, reason, time (of what is inert: none)


# The oracle


@dataclass
class Oracle:
    """Everything that follows from a set of statements."""

    said: set[Statement]
    most_owners: int = OWNERS
    device_policy: str = "last_known"
    until: dict[str, int] = field(default_factory=dict)  # identifier -> up to when it is erased
    gone: dict[str, str] = field(default_factory=dict)  # name of an erased owner -> who it was
    seen: dict[str, int] = field(default_factory=dict)
    words: dict[tuple[str, str], list[Asserted]] = field(default_factory=dict)  # per pair; the last stands
    links: list[Link] = field(default_factory=list)  # one per pair and source, at the time that counts
    contact: dict[str, str] = field(default_factory=dict)  # strong identifier -> contact id
    members: dict[str, list[str]] = field(default_factory=dict)  # contact id -> strong identifiers
    account: dict[str, str] = field(default_factory=dict)  # account key -> account id
    cluster: dict[str, list[str]] = field(default_factory=dict)  # strong identifier or account key

    def __post_init__(self) -> None:
        self._hear()
        for one in self.said:
            if isinstance(one, Asserted) and not any(one in words for words in self.heard.values()):
                continue
            for name in ("identifier", "account", "a", "b", "weak", "strong"):
                if mentioned := getattr(one, name, None):
                    self._mention(mentioned, one.at)
                    if kind_of(mentioned) == "email" and (domain := firm(mentioned)):
                        self._mention(domain, BY_ADDRESS)
        for cluster in self._clusters(set(ACCOUNTS), later_first=True):
            account = "a" + KEY_OF(TENANT, "account", self._first(cluster)).hex()[:15]
            self.account |= dict.fromkeys(cluster, account)
        for cluster in self._clusters(set(STRONG), later_first=False):
            contact = self.gives(self._first(cluster))
            self.members[contact] = cluster
            self.contact |= dict.fromkeys(cluster, contact)
        self.members |= {group: [] for group in self.gone.values()}
        self.contact |= self.gone

    def gives(self, strong: str) -> str:
        """The id of a contact whose first identifier it is."""
        generation = [str(self.until[strong])] if strong in self.until else []
        return "c" + KEY_OF(TENANT, "contact", strong, *generation).hex()[:15]

    def _mention(self, identifier: str, at: int) -> None:
        if identifier not in self.gone:
            first = self.until.get(identifier, at - 1) + 1  # after an erasure it may have been at any time
            self.seen[identifier] = min(first, self.seen.get(identifier, first))

    def _first(self, cluster: list[str]) -> str:
        return min(cluster, key=lambda one: (self.seen[one], KEY_OF(TENANT, one)))

    def _hear(self) -> None:
        self.heard: defaultdict[tuple[str, str], set[Asserted]] = defaultdict(set)
        for one in self.said:
            if not isinstance(one, Asserted) or one.assertion == "parent" or one.a == one.b:
                continue
            a, b = sorted((one.a, one.b))
            among = [{*STRONG, *self.gone}, {*ACCOUNTS}, {*WEAK}]
            classes = sorted(n for n, names in enumerate(among) for name in (a, b) if name in names)
            if classes == [1, 1] or (classes in ([0, 0], [0, 2]) and one.assertion != "alias"):
                self.heard[a, b].add(one)
        for pair, words in self.heard.items():
            latest = sorted({(w.at, w.event_id, what(w), w.by) for w in words})[-WORDS:]
            self.words[pair] = [Asserted(TENANT, e, said, *pair, at, by) for at, e, said, by in latest]
        told: defaultdict[tuple[str, str, str, int], list[int]] = defaultdict(list)
        for one in self.said:
            if isinstance(one, Link):
                told[one.a, one.b, one.source, one.rank].append(one.at)
        for pair, at in told.items():
            last = max(at) // DAY_MS * DAY_MS if pair[0] in ACCOUNTS else min(at)
            self.links.append(Link(TENANT, *pair, max(min(at), last)))

    def standing(self, a: str, b: str) -> str:
        words = self.words.get((min(a, b), max(a, b)))
        return what(words[-1]) if words else ""

    def _inert(self, link: Link) -> bool:
        for one in (link.a, link.b):
            partners = {
                o.a if o.b == one else o.b for o in self.links if one in (o.a, o.b) and o.rank == link.rank
            }
            if len(partners) > (ACCOUNT_PARTNERS if one in ACCOUNTS and link.rank < 3 else PARTNERS):
                return True
        return False

    def _clusters(self, kinds: set[str], *, later_first: bool) -> list[list[str]]:
        clusters = [{one} for one in self.seen if one in kinds]

        def order(one: Link) -> tuple[object, ...]:
            strengths = sorted((STRENGTH[kind_of(one.a)], STRENGTH[kind_of(one.b)]))
            time = -one.at if later_first else one.at
            return one.rank, time, strengths, KEY_OF(TENANT, one.a, one.b, one.source)

        def join(a: str, b: str, limits: dict[str, int]) -> None:
            nonlocal clusters
            ends = [cluster for cluster in clusters if a in cluster or b in cluster]
            together = set().union(*ends)
            values = [kind_of(member) for member in together]
            if any(values.count(kind) > most for kind, most in limits.items()):
                return
            if any(self.standing(x, y) == "cannot_link" for x in together for y in together if x < y):
                return
            clusters = [cluster for cluster in clusters if cluster not in ends] + [together]

        held = [
            o
            for o in self.links
            if o.a in kinds and not self._inert(o) and self.standing(o.a, o.b) != "unlink"
        ]
        for one in sorted(held, key=order):
            join(one.a, one.b, LIMITS)
        people = [
            words[-1] for pair, words in self.words.items() if {*pair} <= kinds and what(words[-1]) == "link"
        ]
        for word in sorted(people, key=lambda one: (one.at, one.event_id, one.by, one.a, one.b)):
            join(word.a, word.b, {})
        found = [sorted(cluster) for cluster in clusters]
        self.cluster |= {member: cluster for cluster in found for member in cluster}
        return found

    def evidence(self) -> dict[tuple[str, str, str], Fared]:
        """How every link fared."""
        found: dict[tuple[str, str, str], Fared] = {}
        for one in self.links:
            at = min(o.at for o in self.said if isinstance(o, Link) and key(o) == key(one))
            inert = ("inert", "one of the two has too many partners at this rank of trust", None)
            found[one.a, one.b, one.source] = inert if self._inert(one) else (*self._fared(one.a, one.b), at)
        for pair, words in self.words.items():
            linked = [one.at for one in words if what(one) == "link"]
            if linked and not {*pair} & {*WEAK}:
                found[*pair, "people"] = (*self._fared(*pair), linked[-1])
        return found

    def _fared(self, a: str, b: str) -> tuple[str, str]:
        if self.standing(a, b) in ("unlink", "cannot_link"):
            word = self.words[a, b][-1]
            return ("void" if what(word) == "unlink" else "refused"), in_words(word)
        one, other = self.cluster[a], self.cluster[b]
        if one == other:
            return "held", ""
        apart = [
            words[-1]
            for (x, y), words in self.words.items()
            if what(words[-1]) == "cannot_link" and ((x in one and y in other) or (y in one and x in other))
        ]
        if apart:
            return "refused", in_words(max(apart, key=lambda w: (w.at, w.event_id, w.by, w.a, w.b)))
        values, others = [kind_of(m) for m in one], [kind_of(m) for m in other]
        for kind, most in LIMITS.items():
            if values.count(kind) and others.count(kind) and values.count(kind) + others.count(kind) > most:
                return "refused", REFUSALS[kind]
        raise AssertionError("a link that nothing is in the way of does not hold")

    def private(self, contact: str) -> bool:
        return contact in self.gone.values() or any(self.refuses(one) for one in self.members[contact])

    def refuses(self, identifier: str) -> bool:
        words = [
            (o.at, not o.given) for o in self.said if isinstance(o, Profiling) and o.identifier == identifier
        ]
        return max(words, default=(0, False))[1]

    def asserted(self, weak: str) -> list[tuple[int, str]]:
        """The assertions of a weak identifier that count."""
        owns = [(one.at, one.strong) for one in self.said if isinstance(one, Owns) and one.weak == weak]
        if len({strong for _, strong in owns}) > self.most_owners:
            return []
        owns = [(at, strong) for at, strong in owns if self.standing(weak, strong) in ("", "link")]
        people = [
            words[-1] for pair, words in self.words.items() if weak in pair and what(words[-1]) == "link"
        ]
        return owns + [(one.at, one.a if one.b == weak else one.b) for one in people]

    def account_at(self, contact: str, address: str | None, time: int) -> str:
        """The account of a contact at a time, for a touch with this address."""
        members = self.members[contact]
        told = [one for one in self.said if isinstance(one, Employed) and one.identifier in members]
        own = self.account[firm(address)] if address and firm(address) else None
        if not any(one.at <= time for one in told):
            addresses = [one for one in members if firm(one)]
            if own or addresses:
                return own or self.account[firm(self._first(addresses))]
            if not told:
                return "a" + contact[1:]
            time = min(one.at for one in told)
        standing = []
        for stream in {(one.source, one.contact or one.identifier) for one in told}:
            of_stream = [one for one in told if (one.source, one.contact or one.identifier) == stream]
            past = sorted({one.at for one in of_stream if one.at <= time}, reverse=True)
            at = [min((o for o in of_stream if o.at == t), key=lambda one: one.account) for t in past]
            if at:
                employer = self.account[at[0].account]
                same = [one.at for one in at]
                for later, earlier in pairwise(at):
                    if self.account[earlier.account] != employer:
                        same = [one.at for one in at if one.at >= later.at]
                        break
                standing.append((employer != own, -min(same), employer))
        return min(standing)[2]

    def owner_at(self, weak: str, time: int) -> tuple[str | None, str | None]:
        """The contact and account of a weak identifier at a time."""
        contact, account = (None, None) if self.refuses(weak) else self.held_at(weak, time)
        if contact is None or self.private(contact):
            return None, account
        return contact, self.account_at(contact, None, time)

    def held_at(self, weak: str, time: int) -> tuple[str | None, str | None]:
        """Whose a weak identifier is at a time, also if that one is erased; if it is shared the account."""
        owns = self.asserted(weak)
        keeps = self.device_policy == "last_known" or kind_of(weak) == "phone"
        if not owns or (not keeps and time >= min(owns)[0]):
            return None, None
        contacts: set[str] = set()
        marks = {time, time - WINDOW, *(at for at, _ in owns), *(at - WINDOW for at, _ in owns)}
        for start in marks:
            if start <= time <= start + WINDOW:
                inside = {self.contact[strong] for at, strong in owns if start <= at <= start + WINDOW}
                if len(inside) > 3:
                    contacts |= inside
        if contacts:
            accounts = {self.account_at(contact, None, time) for contact in contacts}
            one_known = len(accounts) == 1 and not any(self.private(contact) for contact in contacts)
            return None, accounts.pop() if one_known else None
        before = [(-at, strong) for at, strong in owns if at <= time]
        after = [(at, strong) for at, strong in owns if time < at <= time + WINDOW]
        return self.contact[min(before or after)[1]] if before or after else None, None

    def content(self) -> dict[str, Content]:
        """Spans and accounts of every identifier that has a map row."""
        found: dict[str, Content] = {}
        asserted = {at for weak in WEAK for at, _ in self.asserted(weak)}
        marks = sorted(
            {BEFORE, *(one.at for one in self.said if isinstance(one, Employed)), *asserted}
            | {at - WINDOW for at in asserted}
            | {at + WINDOW + 1 for at in asserted}
        )
        for identifier in self.seen:
            keys = [o.account for o in self.said if isinstance(o, Named) and o.identifier == identifier]
            owned = any(isinstance(one, Owns) and one.weak == identifier for one in self.said)
            spoken = any(identifier in pair for pair in self.words)
            if identifier in WEAK and not (keys or owned or spoken or identifier in self.until):
                continue
            spans: list[Span] = []
            for mark in marks:
                who = self._at(identifier, mark)
                if not spans or spans[-1][1:] != who:
                    spans.append((mark if spans else None, *who))
            accounts = {key: self.account[key] for key in sorted(set(keys))[:NAMED]}
            found[identifier] = spans, accounts, self.places(identifier)
        return found

    def ids(self) -> dict[str, Spans]:
        """Every id that any identifier could give, and what it means now."""
        found: dict[str, Spans] = {}
        marks = sorted({BEFORE, *(one.at for one in self.said if isinstance(one, Employed))})
        for strong, contact in self.contact.items():
            if strong in self.gone:
                continue
            digits = self.gives(strong)[1:]
            home: Spans = []
            for mark in marks:
                account = self.account_at(contact, None, mark)
                if not home or home[-1][2] != account:
                    home.append((mark if home else None, contact, account))
            found[f"journeys_contact_id:c{digits}"] = home
            found[f"journeys_account_id:a{digits}"] = [(since, None, account) for since, _, account in home]
        for key, account in self.account.items():
            digits = KEY_OF(TENANT, "account", key).hex()[:15]
            found[f"journeys_account_id:a{digits}"] = [(None, None, account)]
        return found

    def places(self, identifier: str) -> dict[str, str]:
        if kind_of(identifier) not in ("contact_id", "user_id"):
            return {}
        members = self.members[self.contact[identifier]]
        firms = {firm(member): self.account[firm(member)] for member in members if firm(member)}
        return firms if len(firms) > 1 else {}

    def _at(self, identifier: str, time: int) -> tuple[str | None, str | None, bool]:
        if identifier in ACCOUNTS:
            return None, self.account[identifier], False
        if identifier in STRONG:
            contact = self.contact[identifier]
            members = self.members[contact]
            employed = [one for one in self.said if isinstance(one, Employed) and one.identifier in members]
            placed = bool(self.places(identifier)) and all(one.at > time for one in employed)
            return contact, self.account_at(contact, identifier, time), placed
        return *self.owner_at(identifier, time), False


def key(link: Link) -> tuple[str, str, str]:
    return link.a, link.b, link.source


def what(word: Asserted) -> str:
    return "link" if word.assertion == "alias" else word.assertion


def in_words(word: Asserted) -> str:
    return f"{what(word)} by {word.by} on {rfc3339(word.at)[:10]}"


def firm(address: str | None) -> str:
    return DOMAINS.get((address or "").rpartition("@")[2], "")


# Sets of statements, and ways to send them

times = st.integers(0, 40).map(lambda n: 946_684_800_000 + n // 2 * 26 * DAY_MS + n % 2 * 7 * HOUR_MS)
exact_times = st.integers(0, 12).map(lambda n: 946_684_800_000 + n * 30 * DAY_MS)  # 90 days to the ms
sources = st.sampled_from(sorted(RANKS))
ASSERTIONS = ("link", "link", "unlink", "cannot_link", "alias", "parent")


def pairs(kinds: tuple[str, ...]) -> st.SearchStrategy[tuple[str, str]]:
    return st.sets(st.sampled_from(kinds), min_size=2, max_size=2).map(lambda two: tuple(sorted(two)))


def statement(at: st.SearchStrategy[int]) -> st.SearchStrategy[Statement]:
    strong, account = st.sampled_from(STRONG), st.sampled_from(ACCOUNTS)
    weak = st.sampled_from(WEAK)
    link = st.builds(
        lambda pair, source, time: Link(TENANT, *pair, source, RANKS[source], time),
        pairs(STRONG) | pairs(ACCOUNTS),
        sources,
        at,
    )
    owns = st.builds(lambda w, s, time: Owns(TENANT, w, s, time), weak, strong, at)
    named = st.builds(lambda i, a, time: Named(TENANT, i, a, time), strong | weak | account, account, at)
    employed = st.builds(
        lambda i, source, a, time: Employed(
            TENANT, i, i if kind_of(i) == "contact_id" else "", source, RANKS[source], time, a
        ),
        strong,
        st.sampled_from(["crm", "crm2", "erp"]),
        account,
        at,
    )
    seen = st.builds(lambda i, time: Seen(TENANT, i, time), strong | account, at)
    profiling = st.builds(lambda i, g, time: Profiling(TENANT, i, g, time), strong | weak, st.booleans(), at)
    asserted = st.builds(
        lambda what, pair, event, time: Asserted(TENANT, event, what, *pair, time, "steward"),
        st.sampled_from(ASSERTIONS),
        pairs(STRONG)
        | pairs(ACCOUNTS)
        | st.tuples(weak, strong)
        | st.tuples(strong | account, weak | strong),
        st.sampled_from(["s1", "s2", "s3"]),
        at,
    )
    return link | owns | named | employed | seen | link | owns | asserted | profiling | asserted


sets = st.one_of(
    st.lists(statement(times), max_size=40, unique=True),
    st.lists(statement(exact_times), max_size=40, unique=True),
    st.lists(
        st.builds(lambda s, t: Owns(TENANT, WEAK[0], s, t), st.sampled_from(STRONG), exact_times | times),
        min_size=4,
        max_size=20,
        unique=True,
    ),
    st.lists(  # accounts that contradict each other within few days
        st.builds(
            lambda pair, hours: Link(TENANT, *pair, "crm", 1, 946_684_800_000 + hours * HOUR_MS),
            st.sampled_from([(account, key) for account in ACCOUNTS[:3] for key in ACCOUNTS[5:7]]),
            st.integers(0, 60),
        ),
        min_size=3,
        max_size=12,
        unique=True,
    ),
)
_encode = msgspec.msgpack.Encoder().encode
_map_row = msgspec.json.Decoder(MapRow).decode
_evidence = msgspec.msgpack.Decoder(Evidence).decode
POISON = b"\xc1"


class Processor:
    """A session that can crash; what it sent is folded as consumers fold it."""

    def __init__(self, device_policy: str = "last_known") -> None:
        self.config = StepConfig(0, 4, 0, KEY_OF, settings={"device_policy": device_policy})
        self.log: list[tuple[bytes, bytes]] = []
        self.published: dict[bytes, MapRow] = {}
        self.told: dict[bytes, Evidence] = {}
        self.given: set[str] = set()  # ids that were ever published
        self.epoch = 0
        self.restart()

    def restart(self) -> None:
        self.epoch += 1
        self.session = Session(Identity(self.config), 0, 0)
        self.log.append((CLAIM, pack_version(0, self.epoch, 0)))
        self.session.claimed(self.epoch)
        owed = self.session.recovered(self.log)
        self.log += owed.rows
        self.send(owed.outputs)

    def send(self, outputs: list[Output]) -> None:
        for output in outputs:
            if output.topic == MAP.name:
                row = _map_row(output.value)
                known = self.published.get(output.key)
                if known is None or known.version < row.version:
                    self.published[output.key] = row
                for span in row.spans:
                    self.given |= {f"journeys_contact_id:{span.contact_id}"} if span.contact_id else set()
                    self.given |= {f"journeys_account_id:{span.account_id}"} if span.account_id else set()
            elif output.topic == EVIDENCE.name:
                one = _evidence(output.value)
                if output.key not in self.told or self.told[output.key].version < one.version:
                    self.told[output.key] = one

    def batch(self, values: list[bytes], *, crash: float | None) -> None:
        """`crash`: outputs are lost, and rows but for this part of them; then it is all done again."""
        records = [Record(LINKS.name, 0, n, 0, None, value) for n, value in enumerate(values)]
        work = self.session.work(records, 0)
        if crash is not None:
            self.log += work.rows[: round(len(work.rows) * crash)]
            self.restart()
            work = self.session.work(records, 0)
        self.log += work.rows
        self.send(work.outputs)
        self.session.sent(work)

    def content(self) -> dict[str, Content]:
        return {
            row.identifier: (
                [
                    (s.since and from_rfc3339(s.since), s.contact_id, s.account_id, s.placed)
                    for s in row.spans
                ],
                row.accounts,
                row.places,
            )
            for row in self.published.values()
            if kind_of(row.identifier) not in ISSUED_KINDS and not row.identifier.startswith("#")
        }

    def ids(self) -> dict[str, Spans]:
        """The spans of ids that have a map row."""
        return {
            row.identifier: [
                (s.since and from_rfc3339(s.since), s.contact_id, s.account_id) for s in row.spans
            ]
            for row in self.published.values()
            if kind_of(row.identifier) in ISSUED_KINDS
        }

    def evidence(self) -> dict[tuple[str, str, str], Fared]:
        return {
            (one.a, one.b, one.source): (one.state, one.reason, None if one.state == "inert" else one.at)
            for one in self.told.values()
        }


def agree(processor: Processor, expected: Oracle) -> None:
    assert processor.content() == expected.content()
    assert processor.evidence() == expected.evidence()
    meaning, named = expected.ids(), processor.ids()
    assert {name: spans for name, spans in named.items() if spans != meaning.get(name, NOBODY)} == {}
    for name in processor.given - named.keys():  # whoever has an id of once finds what it means now
        issued = name.partition(":")[2]
        assert issued in {one for _, *ids in meaning[name] for one in ids}


@pytest.fixture(autouse=True)
def _small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "PARTNERS", PARTNERS)
    monkeypatch.setattr(resolver, "ACCOUNT_PARTNERS", ACCOUNT_PARTNERS)
    monkeypatch.setattr(rows, "OWNERS", OWNERS)
    monkeypatch.setattr(rows, "NAMED", NAMED)
    monkeypatch.setattr(rows, "WORDS", WORDS)


@settings(max_examples=150, deadline=None)
@given(said=sets, data=st.data())
def test_the_map_follows_from_the_set_of_statements(said: list[Statement], data: st.DataObject) -> None:
    policy = data.draw(st.sampled_from(["last_known", "anonymous"]))
    expected = Oracle(set(said), device_policy=policy)
    again = data.draw(st.lists(st.sampled_from(said), max_size=10)) if said else []
    order = data.draw(st.permutations([*said, *again]))
    values = [_encode(one) for one in order]
    if data.draw(st.booleans()):
        values.insert(data.draw(st.integers(0, len(values))), POISON)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(values)), max_size=6)) | {0, len(values)})
    crash = st.none() | st.sampled_from([0, 0.5, 1])
    crashes = data.draw(st.lists(crash, min_size=len(cuts), max_size=len(cuts)))
    processor = Processor(policy)
    for (start, end), kept in zip(pairwise(cuts), crashes, strict=False):
        processor.batch(values[start:end], crash=kept)
    agree(processor, expected)


def dense(random: Random) -> list[Statement]:
    """A set in which much touches much, which few of hypothesis's are; some of one device of many people."""
    step, reach = random.choice([1, 5, 13, 30]), random.choice([8, 20, 40])
    device = random.random() < 0.4
    return list(dict.fromkeys(_any(random, step, reach, device) for _ in range(random.randint(20, 70))))


def _any(random: Random, step: int, reach: int, device: bool) -> Statement:
    at = 946_684_800_000 + random.randint(0, reach) * step * DAY_MS + random.choice([0, 0, 7]) * HOUR_MS
    kind = random.random()
    if (crowd := device and random.random() < 0.7) or 0.4 <= kind < 0.6:
        return Owns(TENANT, WEAK[0] if crowd else random.choice(WEAK), random.choice(STRONG), at)
    if kind < 0.13:
        return _of_people(random, at, word=kind < 0.1)
    if kind < 0.4:
        pair = sorted(random.sample(STRONG if random.random() < 0.6 else ACCOUNTS, 2))
        source = random.choice(sorted(RANKS))
        return Link(TENANT, *pair, source, RANKS[source], at)
    if kind < 0.7:
        return Named(TENANT, random.choice((*STRONG, *WEAK, *ACCOUNTS)), random.choice(ACCOUNTS), at)
    if kind < 0.9:
        person, source = random.choice(STRONG), random.choice(["crm", "crm2", "erp"])
        contact = person if kind_of(person) == "contact_id" else ""
        return Employed(TENANT, person, contact, source, RANKS[source], at, random.choice(ACCOUNTS))
    return Seen(TENANT, random.choice((*STRONG, *ACCOUNTS)), at)


def _of_people(random: Random, at: int, *, word: bool) -> Statement:
    if not word:
        return Profiling(TENANT, random.choice((*STRONG, *WEAK)), random.random() < 0.5, at)
    pair = random.sample(random.choice([STRONG, STRONG, ACCOUNTS, (*STRONG, *WEAK)]), 2)
    event, by = random.choice(["s1", "s2", "s3"]), random.choice(["crm", "steward"])
    return Asserted(TENANT, event, random.choice(ASSERTIONS), *pair, at, by)


@pytest.mark.parametrize("seed", range(250))
def test_the_map_follows_from_a_dense_set(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(seed)
    if seed % 2:
        monkeypatch.setattr(rows, "OWNERS", len(STRONG))
    said = dense(random)
    order = [*said, *(one for one in said if random.random() < 0.3)]
    random.shuffle(order)
    values = [_encode(one) for one in order]
    values.insert(random.randrange(len(values)), POISON)
    processor = Processor()
    while values:
        size = random.choice([1, 3, 10, 50])
        processor.batch(values[:size], crash=random.choice([0, 0.5, 1]) if random.random() < 0.15 else None)
        del values[:size]
    agree(processor, Oracle(set(said), rows.OWNERS))


@settings(max_examples=50, deadline=None)
@given(said=sets)
def test_what_is_known_changes_nothing(said: list[Statement]) -> None:
    processor = Processor()
    processor.batch([_encode(one) for one in said], crash=None)
    records = [Record(LINKS.name, 0, n, 0, None, _encode(one)) for n, one in enumerate(reversed(said))]
    work = processor.session.work(records, 0)
    assert work.outputs == []
    assert [key for key, _ in work.rows if key != b"sent"] == []


@settings(max_examples=50, deadline=None)
@given(said=sets)
def test_limits_hold_in_every_contact_and_account(said: list[Statement]) -> None:
    processor = Processor()
    for one in said:
        processor.batch([_encode(one)], crash=None)
    together: defaultdict[str, list[str]] = defaultdict(list)
    said_by_people = [one for one in said if isinstance(one, Asserted)]
    for identifier, (spans, _, _) in processor.content().items() if not said_by_people else ():
        if identifier in STRONG:
            assert {contact for _, contact, _, _ in spans} == {spans[0][1]}
            together[spans[0][1] or ""].append(kind_of(identifier))
        elif identifier in ACCOUNTS:
            together[spans[0][2] or ""].append(kind_of(identifier))
    for kinds in together.values():
        assert all(kinds.count(kind) <= most for kind, most in LIMITS.items())
