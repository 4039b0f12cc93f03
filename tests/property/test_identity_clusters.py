"""However links come, the clusters are those of all of them at once: also where one link changes many.

`test_identity_set.py` has few identifiers, of which each is linked with most others. Here are chains and
crowds in which a change goes from cluster to cluster.
"""

from random import Random

import msgspec
import pytest

from schemas.identity import MapRow
from schemas.internal import CRM, OTHER, Asserted, Link
from schemas.keys import hasher
from schemas.topics import EVIDENCE, LINKS, MAP
from streams.core import Record, StepConfig
from streams.identity import table
from streams.identity.resolver import ACCOUNT_LIMITS, CONTACT_LIMITS, Edge, Pair, Partition, strength
from streams.identity.rows import Row, decode
from streams.identity.step import Identity
from streams.session import Session

KEY_OF = hasher("secret")
BEGIN_MS = 946_684_800_000  # 2000-01-01: a day and more apart, so that account links rank by these times
DAY_MS = 86_400_000

_encode = msgspec.msgpack.Encoder().encode
_map = msgspec.json.Decoder(MapRow).decode


class Live:
    """IDENTITY, batch by batch."""

    def __init__(self) -> None:
        self.session = Session(Identity(StepConfig(0, 1, 1, KEY_OF)), 0, 0)
        self.session.claimed(1)
        self.ids: dict[str, str] = {}  # identifier or account key -> contact or account
        self.evidence: dict[bytes | None, bytes | None] = {}

    def say(self, said: list[Link | Asserted]) -> None:
        records = [Record(LINKS.name, 0, n, 0, None, _encode(one)) for n, one in enumerate(said)]
        for output in self.session.work(records, 0).outputs:
            if output.topic == EVIDENCE.name and output.value:
                *told, _version = msgspec.msgpack.decode(output.value)
                self.evidence[output.key] = _encode(told)
            elif output.topic == MAP.name:
                row = _map(output.value or b"")
                span = row.spans[0]
                self.ids[row.identifier] = span.contact_id or span.account_id or ""

    def clusters(self, nodes: set[str]) -> set[frozenset[str]]:
        return _grouped({node: self.ids[node] for node in nodes})


def _grouped(ids: dict[str, str]) -> set[frozenset[str]]:
    return {frozenset(n for n, other in ids.items() if other == one) for one in ids.values()}


def _pairs(random: Random, *, accounts: bool) -> list[tuple[str, str]]:
    """A chain, or a crowd of so few links each that none are inert."""
    many, few = ("domain", "account_id") if accounts else ("email", "user_id")
    size = random.choice([8, 30, 60])
    if random.random() < 0.5:
        names = [(f"{few}:{(n + 1) // 2}", f"{many}:{n // 2}.x") for n in range(2 * size)]
    else:
        names = [
            (f"{few}:{random.randrange(size)}", f"{many}:{random.randrange(size)}.x") for _ in range(2 * size)
        ]
        names += [(f"{many}:{n}.x", f"{many}:{random.randrange(n)}.x") for n in range(1, size, 3)]
    return sorted({(min(pair), max(pair)) for pair in names})


def _at(random: Random) -> int:
    return BEGIN_MS + random.randrange(300) * DAY_MS


def _whole(said: list[Link | Asserted], *, accounts: bool) -> Partition:
    last: dict[tuple[str, str], Asserted] = {}
    for one in sorted(
        (one for one in said if isinstance(one, Asserted)), key=lambda one: (one.at, one.event_id)
    ):
        last[one.a, one.b] = one
    void = {pair for pair, one in last.items() if one.assertion != "link"}
    edges = [
        Edge(
            one.rank,
            -one.at if accounts else one.at,
            strength(one.a, one.b),
            KEY_OF("t", one.a, one.b, one.source),
            one.a,
            one.b,
        )
        for one in said
        if isinstance(one, Link) and (one.a, one.b) not in void
    ]
    words = {
        what: [
            Pair(one.at, one.event_id, one.by, one.a, one.b) for one in last.values() if one.assertion == what
        ]
        for what in ("link", "cannot_link")
    }
    nodes = {end for one in said for end in (one.a, one.b)}
    limits = ACCOUNT_LIMITS if accounts else CONTACT_LIMITS
    return Partition(nodes, edges, limits, words["link"], words["cannot_link"])


@pytest.mark.parametrize("seed", range(120))
def test_clusters_are_those_of_all_links_at_once(seed: int) -> None:
    random = Random(seed)
    accounts = seed % 3 == 0
    pairs = _pairs(random, accounts=accounts)
    said: list[Link | Asserted] = [
        Link("t", *pair, *random.choice([("web", OTHER), ("crm", CRM)]), _at(random)) for pair in pairs
    ]
    nodes = sorted({end for pair in pairs for end in pair})
    for n in range(random.choice([0, 2, 10, 30])):
        word = random.choice(["link", "link", "unlink", "cannot_link"])
        one, other = random.choice(pairs) if random.random() < 0.5 else sorted(random.sample(nodes, 2))
        said.append(Asserted("t", f"s{n}", word, one, other, _at(random), "steward"))
    random.shuffle(said)
    if random.random() < 0.5:
        said.sort(key=lambda one: isinstance(one, Link))  # people's words first
    live, size = Live(), random.choice([1, 1, 5, 40])
    for start in range(0, len(said), size):
        live.say(said[start : start + size])
    whole = _whole(said, accounts=accounts)
    assert live.clusters(set(whole.of)) == {frozenset(one.members) for one in whole.of.values()}
    at_once = Live()
    at_once.say(said)
    assert at_once.evidence == live.evidence  # why links are refused, too


def test_a_link_within_what_people_joined_may_change_its_neighbours() -> None:
    times = {("1", "a"): 5, ("1", "b"): 6, ("1", "c"): 7, ("2", "a"): 8, ("1", "d"): 9}
    said: list[Link | Asserted] = [
        Link("t", f"email:{name}@x.nl", f"user_id:{user}", "web", OTHER, BEGIN_MS + at)
        for (user, name), at in times.items()
    ]
    live = Live()
    live.say([*said, Asserted("t", "s", "link", "user_id:1", "user_id:2", BEGIN_MS, "steward")])
    assert live.ids["email:d@x.nl"] != live.ids["user_id:1"]  # the fourth address
    live.say([Link("t", "email:a@x.nl", "user_id:2", "crm", CRM, BEGIN_MS)])
    assert live.ids["email:d@x.nl"] == live.ids["user_id:1"]  # now `a` comes with the second log-in


@pytest.mark.parametrize("at", [10_000, 401, -1])  # refused as the last one, refused, held
def test_a_link_costs_what_it_may_change(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chain: list[Link | Asserted] = [
        Link("t", f"email:{n}@x.nl", f"user_id:{n + i}", "web", OTHER, BEGIN_MS + 2 * n + i)
        for n in range(1_000)
        for i in (0, 1)
    ]
    live = Live()
    live.say(chain)
    known = dict(live.ids)
    read = []

    def counted(kept: bytes) -> Row:
        read.append(kept)
        return decode(kept)

    monkeypatch.setattr(table, "decode", counted)
    live.say([Link("t", "email:200@x.nl", "user_id:500", "web", OTHER, BEGIN_MS + at)])
    assert (live.ids == known) == (at > 0)
    assert len(read) < 30
