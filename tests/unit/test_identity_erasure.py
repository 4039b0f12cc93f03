"""Erasure in IDENTITY by hand: who is erased, what remains, what comes late.

Times are days after 2025-01-01.
"""

from collections.abc import Iterable
from itertools import permutations

import msgspec
import pytest

from schemas.identity import MapRow, Period
from schemas.internal import (
    CRM,
    ERP,
    OTHER,
    STEWARD,
    Asserted,
    Employed,
    Evidence,
    Link,
    Named,
    Owns,
    Profiling,
    Request,
    Seen,
)
from schemas.keys import KEY_BYTES, erased_name, hasher
from schemas.privacy import PrivacyResult
from schemas.times import DAY_MS, from_rfc3339, rfc3339
from schemas.topics import EVIDENCE, LINKS, MAP, RESULTS
from streams.core import Output, Record, StepConfig
from streams.identity.step import Identity
from streams.session import CLAIM, Session, pack_version

KEY_OF = hasher("secret")
CONFIG = StepConfig(partition=0, partitions=8, generation=0, key_of=KEY_OF)
START = from_rfc3339("2025-01-01T00:00:00Z")
Statement = Seen | Link | Owns | Named | Employed | Profiling | Asserted | Request

JANE, CRM_1, LOGIN = "email:jane@acme.nl", "contact_id:1", "user_id:jane"
BOB = "email:bob@acme.nl"
COOKIE = "anonymous_id:c"

_encode = msgspec.msgpack.Encoder().encode
_map_row = msgspec.json.Decoder(MapRow).decode
_result = msgspec.json.Decoder(PrivacyResult).decode
_evidence = msgspec.msgpack.Decoder(Evidence).decode


def day(n: float) -> int:
    return START + int(n * DAY_MS)


def key(identifier: str) -> bytes:
    return KEY_OF("t", identifier)


def seen(identifier: str, at: float = 0) -> Seen:
    return Seen("t", identifier, day(at))


def link(a: str, b: str, at: float = 0, source: str = "web") -> Link:
    rank = {"steward": STEWARD, "crm": CRM, "erp": ERP}.get(source, OTHER)
    return Link("t", *sorted((a, b)), source, rank, day(at))


def owns(weak: str, strong: str, at: float) -> Owns:
    return Owns("t", weak, strong, day(at))


def employed(identifier: str, account: str, at: float) -> Employed:
    return Employed("t", identifier, "", "crm", CRM, day(at), account)


def word(what: str, a: str, b: str, at: float, event_id: str = "w") -> Asserted:
    return Asserted("t", event_id, what, a, b, day(at), "steward")


def erase(*identifiers: str, at: float, event_id: str = "r", request: str = "erase") -> Request:
    return Request("t", event_id, request, list(identifiers), day(at))


class Map:
    """What IDENTITY published, after statements, each in a batch of its own."""

    def __init__(self, *said: Statement) -> None:
        self.log: list[tuple[bytes, bytes]] = []
        self.rows: dict[bytes, MapRow] = {}
        self.results: dict[str, PrivacyResult] = {}
        self.links: dict[bytes, Evidence | None] = {}
        self.epoch = 0
        self.restart()
        for one in said:
            self.say(one)

    def restart(self) -> None:
        """A session that has only the rows; it says again what they owe."""
        self.epoch += 1
        self.session = Session(Identity(CONFIG), 0, 0)
        self.log.append((CLAIM, pack_version(0, self.epoch, 0)))
        self.session.claimed(self.epoch)
        work = self.session.recovered(self.log, drained=pack_version(0, 0, 0))
        self.log += work.rows
        self._hear(work.outputs)

    def say(self, *said: Statement) -> list[str]:
        """The topics of what was sent."""
        records = [Record(LINKS.name, 0, n, 0, None, _encode(one)) for n, one in enumerate(said)]
        work = self.session.work(records, day(400))
        self.log += work.rows
        self._hear(work.outputs)
        return [output.topic for output in work.outputs]

    def _hear(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            if output.topic == MAP.name:
                row = _map_row(output.value)
                if output.key not in self.rows or self.rows[output.key].version <= row.version:
                    self.rows[output.key] = row
            elif output.topic == RESULTS.name:
                result = _result(output.value)
                self.results[result.subject] = result
                assert output.headers[0] == ("ce_id", result.id.encode())
            elif output.topic == EVIDENCE.name:
                self.links[output.key] = _evidence(output.value) if output.value else None
            else:
                raise AssertionError(output)

    def row(self, identifier: str) -> MapRow:
        return self.rows[key(identifier)]

    def at(self, identifier: str, time: float) -> tuple[str | None, str | None]:
        spans = [
            s for s in self.row(identifier).spans if s.since is None or from_rfc3339(s.since) <= day(time)
        ]
        return spans[-1].contact_id, spans[-1].account_id

    def contact(self, identifier: str, time: float = 0) -> str | None:
        return self.at(identifier, time)[0]

    def is_gone(self, identifier: str, until: float) -> bool:
        """Whether it is erased, and nothing is known that is later."""
        row = self.row(identifier)
        return (
            row.identifier == erased_name(key(identifier))
            and row.erased == [Period(None, rfc3339(day(until) + 1))]
            and [(s.since, s.contact_id, s.account_id) for s in row.spans] == [(None, None, None)]
            and row.accounts == row.places == {}
        )

    def names(self, text: str) -> bool:
        """Whether any row that is kept, or map row that holds, has the text."""
        kept = self.session.rows.group(KEY_OF("t"))
        published = msgspec.json.encode(list(self.rows.values()))
        links = repr([one for one in self.links.values() if one is not None])
        return (
            any(text.encode() in value for value in kept.values())
            or text in links
            or text.encode() in published
        )


def test_the_whole_contact_is_erased_by_one_of_its_identifiers() -> None:
    found = Map(link(JANE, CRM_1, 1, "crm"), link(CRM_1, LOGIN, 2), seen(BOB, 1), owns(COOKIE, LOGIN, 3))
    contact = found.contact(JANE)
    found.say(erase(JANE, at=5))
    for one in (JANE, CRM_1, LOGIN):
        assert found.is_gone(one, 5)
    assert found.contact(BOB) is not None
    result = found.results["r"]
    assert (result.result, result.counts) == ("done", {"identifiers": 3, "devices": 1})
    assert result.contact_ids == [contact]
    assert (result.request, result.tenant, result.caused_by) == ("erase", "t", ["r"])
    for text in ("jane@acme.nl", "user_id:jane", "contact_id:1"):
        assert not found.names(text)


def test_what_is_dated_later_is_another_contact() -> None:
    found = Map(link(JANE, LOGIN, 1), link(LOGIN, BOB, 9))
    former = found.contact(JANE)
    found.say(erase(JANE, at=5))
    assert found.is_gone(JANE, 5)
    assert found.contact(LOGIN) == found.contact(BOB) not in (None, former)
    assert found.row(LOGIN).erased == [Period(None, rfc3339(day(5) + 1))]
    assert found.row(BOB).erased == []
    found.say(seen(JANE, 6))
    assert found.row(JANE).identifier == JANE
    assert found.contact(JANE) not in (None, former, found.contact(LOGIN))


@pytest.mark.parametrize("restart", [False, True])
def test_the_order_makes_no_difference(restart: bool) -> None:
    said: list[Statement] = [
        link(JANE, LOGIN, 1),
        link(LOGIN, CRM_1, 2),
        owns(COOKIE, LOGIN, 3),
        seen(JANE, 7),
        erase(JANE, at=5),
    ]
    for order in permutations(said):
        found = Map(*order[:3])
        if restart:
            found.restart()
        for one in order[3:]:
            found.say(one)
        found.say(*said)  # FRAGMENTS says again what remains, and more
        if restart:
            found.restart()
        assert found.is_gone(LOGIN, 5)
        assert found.is_gone(CRM_1, 5)
        (span,) = found.row(JANE).spans
        assert span.contact_id == "c" + KEY_OF("t", "contact", JANE, str(day(5))).hex()[:15]
        assert found.row(COOKIE).erased == [Period(rfc3339(day(3 - 90)), rfc3339(day(5) + 1))]
        assert [s.contact_id for s in found.row(COOKIE).spans] == [None]
        assert found.row(COOKIE).forgotten == {key(LOGIN).hex(): rfc3339(day(5))}
        assert found.results["r"].counts == {"identifiers": 3, "devices": 1}
        assert not found.names("user_id:jane")


def test_what_is_known_again_says_nothing() -> None:
    said: list[Statement] = [
        link(JANE, LOGIN, 1),
        link(JANE, CRM_1, 2, "crm"),
        owns(COOKIE, LOGIN, 3),
        erase(JANE, at=5),
    ]
    found = Map(*said)
    found.say(*said)
    work = found.session.work([Record(LINKS.name, 0, 0, 0, None, _encode(one)) for one in said], 0)
    assert (work.rows, work.outputs) == ([], [])


def test_a_request_before_anything_is_known_is_kept() -> None:
    found = Map(erase(JANE, at=5))
    assert found.is_gone(JANE, 5)
    assert found.results["r"].result == "not_found"
    assert found.results["r"].counts == {"identifiers": 0, "devices": 0}
    version = found.results["r"].version
    found.say(link(JANE, LOGIN, 1))
    assert found.is_gone(JANE, 5)
    assert found.is_gone(LOGIN, 5)
    assert found.results["r"].result == "done"
    assert found.results["r"].counts == {"identifiers": 2, "devices": 0}
    assert found.results["r"].version > version
    assert not found.names("jane@")


def test_a_request_repeated_is_one_and_a_later_one_erases_what_came_since() -> None:
    found = Map(link(JANE, LOGIN, 1), erase(JANE, at=5))
    assert found.say(erase(JANE, at=5)) == []
    found.say(link(JANE, CRM_1, 8))
    again = found.contact(JANE)
    found.say(erase(CRM_1, at=9, event_id="r2"))
    assert found.is_gone(JANE, 9)
    assert found.is_gone(CRM_1, 9)
    assert found.is_gone(LOGIN, 5)
    assert found.results["r2"].contact_ids == [again]
    assert found.results["r2"].counts["identifiers"] == 2
    assert found.results["r"].counts["identifiers"] == 2
    found.say(erase(JANE, at=3, event_id="r3"))  # it was erased until then before
    assert found.is_gone(JANE, 9)
    assert found.results["r3"].result == "done"


def test_a_conflict_is_somebody_else() -> None:
    known: list[Statement] = [
        link(CRM_1, JANE, 1),
        link("contact_id:2", JANE, 2),
        link("contact_id:2", BOB, 2),
    ]
    for said in ([*known, erase(JANE, at=5)], [*known[:1], erase(JANE, at=5), *known[:0:-1]]):
        found = Map(*said)
        assert found.is_gone(CRM_1, 5)
        assert found.contact("contact_id:2") == found.contact(BOB) is not None
        assert found.row("contact_id:2").forgotten == {key(JANE).hex(): rfc3339(day(5))}
        assert found.row("contact_id:2").erased == found.row(BOB).erased == []
        assert not found.names("jane@")


@pytest.mark.parametrize("restart", [False, True])
def test_who_is_erased_twice_is_forgotten_up_to_the_later_time(restart: bool) -> None:
    known: list[Statement] = [
        link(CRM_1, JANE, 1),
        link("contact_id:2", JANE, 2),
        owns(COOKIE, JANE, 3),
        owns(COOKIE, BOB, 4),
    ]
    for requests in permutations((erase(JANE, at=5), erase(JANE, at=9, event_id="r2"))):
        for order in ([*known, *requests], [*requests, *known], [requests[0], *known, requests[1]]):
            found = Map()
            for said in order:
                if restart:
                    found.restart()
                found.say(said)
            for identifier in ("contact_id:2", COOKIE):
                assert found.row(identifier).forgotten == {key(JANE).hex(): rfc3339(day(9))}


def test_links_of_the_erased_are_told_to_be_gone_also_after_a_restart() -> None:
    found = Map(link(CRM_1, JANE, 1, "crm"), link(BOB, CRM_1, 2, "crm"), word("link", JANE, LOGIN, 2))
    assert sum(one is not None for one in found.links.values()) == 3
    found.say(erase(JANE, at=5))
    assert set(found.links.values()) == {None}
    found.say(link(CRM_1, JANE, 6, "crm"))
    found.restart()
    (again,) = (one for one in found.links.values() if one is not None)
    assert (again.a, again.b, again.at) == (CRM_1, JANE, day(6))


@pytest.mark.parametrize("end", [CRM_1, JANE, "contact_id:2"])
def test_links_are_told_to_be_gone_again_where_a_session_without_its_partition_may_tell_them(
    end: str,
) -> None:
    found = Map(link(CRM_1, JANE, 1, "crm"), link("contact_id:2", JANE, 2), link("contact_id:2", BOB, 2))
    theirs = [(name, value) for name, value in found.log if name.endswith(key(end))]
    found.restart()
    found.say(erase(JANE, at=5))
    answer = found.session.strangers(theirs)
    assert answer is not None
    told = [output for output in answer.outputs if output.topic == EVIDENCE.name]
    gone = {output.key for output in told if not output.value}
    links = [(CRM_1, "crm"), ("contact_id:2", "web")]
    assert gone == {KEY_OF("t", "link", one, JANE, source) for one, source in links if end in (one, JANE)}
    assert all(output.headers == (("version", answer.version),) for output in told if not output.value)


def test_a_link_by_people_is_gone_also_where_they_say_something_else_later() -> None:
    said = [word("link", JANE, BOB, 1), word("cannot_link", JANE, BOB, 8, "w2")]
    found = Map(*said, erase(JANE, at=5))
    assert set(found.links.values()) == {None}


def test_devices_are_nobodys_while_they_were_the_erased_persons() -> None:
    said: list[Statement] = [
        owns(COOKIE, BOB, 1),
        owns(COOKIE, JANE, 3),
        owns(COOKIE, BOB, 6),
        owns(COOKIE, JANE, 20),
    ]
    for order in permutations((*said, erase(JANE, at=10))):
        found = Map(*order)
        bob, jane = found.contact(BOB), found.contact(JANE)
        assert found.contact(COOKIE, 2) == bob
        assert found.at(COOKIE, 4) == (None, None)
        assert found.contact(COOKIE, 7) == bob
        assert found.contact(COOKIE, 20) == jane is not None
        assert found.row(COOKIE).erased == [Period(rfc3339(day(3)), rfc3339(day(6)))]


def test_accounts_that_only_erased_touches_of_a_device_named_are_forgotten() -> None:
    said: list[Statement] = [
        owns(COOKIE, BOB, 1),
        owns(COOKIE, JANE, 3),
        Named("t", COOKIE, "domain:secret.nl", day(4)),
    ]
    for order in permutations((*said, erase(JANE, at=10))):
        found = Map(*order, Named("t", COOKIE, "domain:acme.nl", day(2)))  # what is left is stated again
        assert list(found.row(COOKIE).accounts) == ["domain:acme.nl"]


def test_a_span_is_erased_up_to_the_time_of_the_request_only() -> None:
    found = Map(owns(COOKIE, JANE, 3), owns(COOKIE, BOB, 30), erase(JANE, at=10))
    assert found.row(COOKIE).erased == [Period(rfc3339(day(3 - 90)), rfc3339(day(10) + 1))]
    assert found.contact(COOKIE, 12) is None
    assert found.contact(COOKIE, 30) == found.contact(BOB)


def test_people_who_say_that_a_device_is_not_the_persons_are_heard() -> None:
    said: list[Statement] = [owns(COOKIE, JANE, 3), word("unlink", COOKIE, JANE, 4)]
    for order in ([*said, erase(JANE, at=10)], [erase(JANE, at=10), *said]):
        found = Map(*order)
        assert found.row(COOKIE).erased == []
        assert not found.names("jane@")
    found = Map(word("link", COOKIE, JANE, 4), erase(JANE, at=10))
    assert found.row(COOKIE).erased == [Period(rfc3339(day(4 - 90)), rfc3339(day(10) + 1))]


def test_of_a_device_only_its_own_touches_are_erased() -> None:
    found = Map(owns(COOKIE, JANE, 3), erase(COOKIE, at=10), owns(COOKIE, JANE, 4))
    assert found.is_gone(COOKIE, 10)
    assert found.contact(JANE) is not None
    assert found.results["r"].counts == {"identifiers": 0, "devices": 1}
    assert found.results["r"].contact_ids == []
    found.say(owns(COOKIE, JANE, 12))
    assert found.row(COOKIE).identifier == COOKIE
    assert found.contact(COOKIE, 11) == found.contact(JANE)
    assert found.row(COOKIE).erased == [Period(None, rfc3339(day(10) + 1))]


def test_whose_a_device_was_is_erased_with_it_whichever_request_comes_first() -> None:
    said = [owns(COOKIE, JANE, 3), erase(JANE, at=10), erase(COOKIE, at=5, event_id="r2")]
    for order in permutations(said):
        assert Map(*order).row(COOKIE).erased == [Period(None, rfc3339(day(5) + 1))]


def test_a_device_that_refused_profiling_is_erased_as_any_other() -> None:
    refused = Profiling("t", COOKIE, False, day(2))
    for order in permutations((owns(COOKIE, JANE, 3), refused, erase(JANE, at=10))):
        found = Map(*order)
        assert found.row(COOKIE).erased == [Period(rfc3339(day(3 - 90)), rfc3339(day(10) + 1))]
        assert found.contact(COOKIE, 12) is None


def test_four_on_one_device_share_it_when_one_is_erased() -> None:
    people = [f"email:{name}@acme.nl" for name in "abcd"]
    found = Map(*(owns(COOKIE, one, 10 * n) for n, one in enumerate(people)), erase(people[1], at=50))
    assert found.contact(COOKIE, 15) is None
    assert found.row(COOKIE).erased == []


def test_account_keys_remain_and_are_dated_as_they_were() -> None:
    said: list[Statement] = [
        seen(JANE, 1),
        employed(JANE, "account_id:7", 2),
        seen(BOB, 3),
    ]
    said += [Named("t", JANE, "vat_number:NL1", day(2)), link("account_id:7", "domain:acme.nl", 4, "crm")]
    orders = (Map(*said, erase(JANE, at=5)), Map(erase(JANE, at=5), *said))
    for found in orders:
        for one in ("domain:acme.nl", "account_id:7", "vat_number:NL1"):
            assert found.at(one, 0)[1] is not None
            assert found.row(one).erased == []
        assert found.at(BOB, 0)[1] == found.at("domain:acme.nl", 0)[1]
    assert orders[0].at("domain:acme.nl", 0) == orders[1].at("domain:acme.nl", 0)
    assert orders[0].row("account_id:7").spans == orders[1].row("account_id:7").spans


def test_the_id_of_an_account_does_not_tell_whether_an_erased_address_was_heard() -> None:
    firm = [seen("account_id:7", 3), link("account_id:7", "domain:acme.nl", 4, "crm")]
    heard = Map(seen(JANE, 1), *firm, erase(JANE, at=5))
    refused = Map(erase(JANE, at=5), *firm)  # FRAGMENTS tells nothing of it any more
    account = heard.at("domain:acme.nl", 0)[1]
    assert (
        account
        == refused.at("domain:acme.nl", 0)[1]
        == "a" + KEY_OF("t", "account", "account_id:7").hex()[:15]
    )


def test_people_join_whole_contacts_also_late() -> None:
    other = "contact_id:2"
    known: list[Statement] = [link(CRM_1, JANE, 1), link(other, BOB, 1), word("link", CRM_1, other, 2)]
    for order in permutations((*known, erase(JANE, at=5))):
        found = Map(*order)
        for one in (JANE, CRM_1, other, BOB):
            assert found.is_gone(one, 5)


def test_what_people_had_taken_back_erases_nobody_when_it_comes_again() -> None:
    said = [word("link", JANE, BOB, 1), word("unlink", JANE, BOB, 2, "w2")]
    for order in ([*said, erase(JANE, at=5), *said], [erase(JANE, at=5), *said[::-1], *said]):
        found = Map(seen(JANE, 1), seen(BOB, 1), *order)
        assert found.is_gone(JANE, 5)
        assert found.contact(BOB) is not None
        assert found.row(BOB).erased == []
        assert not found.names("jane@")
    found.say(word("link", JANE, BOB, 3, "w3"))  # the last word
    assert found.is_gone(BOB, 5)


def test_people_keep_apart_also_late() -> None:
    known: list[Statement] = [link(CRM_1, JANE, 1), word("cannot_link", JANE, BOB, 1), link(CRM_1, BOB, 3)]
    for order in permutations((known[0], known[1], erase(JANE, at=5))):
        found = Map(*order, known[2])
        assert found.is_gone(CRM_1, 5)
        assert found.contact(BOB) is not None


def test_words_on_the_erased_are_dropped_at_both_ends_later_ones_stand() -> None:
    found = Map(word("cannot_link", JANE, LOGIN, 1), word("link", JANE, BOB, 8, "w2"), erase(JANE, at=5))
    assert found.contact(JANE) == found.contact(BOB)
    found.say(link(JANE, LOGIN, 9))
    assert found.contact(LOGIN) == found.contact(JANE)


def test_a_late_link_of_two_who_are_erased_erases_nothing_more() -> None:
    found = Map(link(JANE, LOGIN, 1), erase(LOGIN, at=5), seen(CRM_1, 1), erase(CRM_1, at=9, event_id="r2"))
    found.say(link(JANE, BOB, 7))
    found.say(link(CRM_1, JANE, 2, "crm"))
    assert found.is_gone(LOGIN, 5)
    assert found.is_gone(CRM_1, 9)
    assert found.contact(JANE) == found.contact(BOB) is not None


def test_a_bot_is_erased_with_all_that_names_it() -> None:
    others = [f"email:{n}@junk{n}.nl" for n in range(30)]
    found = Map(*(link(LOGIN, one, 1) for one in others), link(LOGIN, others[20], 9, "crm"))
    found.say(erase(LOGIN, at=5))
    assert found.contact(LOGIN) == found.contact(others[20])
    for one in (*others[:20], *others[21:]):
        assert found.row(one).forgotten == {key(LOGIN).hex(): rfc3339(day(5))}
    found.say(erase(LOGIN, at=10, event_id="r2"))
    assert not found.names("user_id:jane")
    assert found.is_gone(others[20], 10)


def test_what_was_a_bot_may_be_somebody_later() -> None:
    others = [f"email:{n}@junk{n}.nl" for n in range(20)]
    found = Map(*(link(LOGIN, one, 1) for one in others), link(LOGIN, BOB, 8), erase(LOGIN, at=5))
    assert found.contact(LOGIN) == found.contact(BOB) is not None
    found.say(link(LOGIN, JANE, 1))  # one more of those that say nothing
    assert found.contact(JANE) not in (None, found.contact(LOGIN))
    assert found.row(JANE).forgotten == {key(LOGIN).hex(): rfc3339(day(5))}


def test_what_becomes_of_a_firm_is_nothing_to_who_is_erased() -> None:
    found = Map(seen(JANE, 1), employed(JANE, "vat_number:NL1", 2), owns(COOKIE, JANE, 2), erase(JANE, at=5))
    found.say(
        link("account_id:7", "domain:acme.nl", 8, "crm"), link("account_id:7", "vat_number:NL1", 8, "crm")
    )
    assert found.is_gone(JANE, 5)
    found.restart()
    found.say(seen("domain:acme.nl", -9), seen("account_id:7", -10))
    assert found.is_gone(JANE, 5)


def test_profiling_refused_up_to_then_is_forgotten() -> None:
    found = Map(seen(JANE, 1), Profiling("t", JANE, False, day(2)), owns(COOKIE, JANE, 9))
    assert found.contact(COOKIE, 9) is None
    found.say(erase(JANE, at=5))
    assert found.contact(COOKIE, 9) == found.contact(JANE) is not None
    found.say(Profiling("t", JANE, False, day(4)))
    assert found.contact(COOKIE, 9) is not None


def test_an_export_changes_nothing_and_says_what_is_known() -> None:
    found = Map(link(JANE, LOGIN, 1), owns(COOKIE, JANE, 2), link(JANE, CRM_1, 8))
    assert found.say(erase(JANE, LOGIN, at=5, request="export")) == [RESULTS.name]
    result = found.results["r"]
    assert (result.request, result.result) == ("export", "done")
    assert result.counts == {"identifiers": 2, "devices": 1}
    assert result.contact_ids == [found.contact(JANE)]
    found.say(erase("email:x@y.nl", at=5, event_id="r2", request="export"))
    assert found.results["r2"].result == "not_found"


def test_an_answer_is_owed_after_a_crash() -> None:
    found = Map(link(JANE, LOGIN, 1), erase(JANE, at=5))
    before, rows = found.results.pop("r"), dict(found.rows)
    found.rows.clear()
    found.restart()
    assert found.results["r"] == before
    assert found.rows == rows


def test_rows_of_requests_hold_no_identifier() -> None:
    found = Map(link(JANE, LOGIN, 1), owns(COOKIE, JANE, 2), erase(JANE, COOKIE, at=5))
    for member, value in found.session.rows.group(KEY_OF("t")).items():
        if len(member) > KEY_BYTES:
            assert not any(text in value for text in (b"jane", b"anonymous_id:c"))
    assert not found.names("anonymous_id:c")


def test_a_device_that_only_the_erased_had_has_no_name() -> None:
    found = Map(seen(BOB, 1), owns(COOKIE, JANE, 2), erase(JANE, at=5))
    assert not found.names("anonymous_id:c")
    row = found.row(COOKIE)
    assert row.identifier == erased_name(key(COOKIE))
    assert row.erased == [Period(rfc3339(day(-88)), rfc3339(day(5) + 1))]
    assert found.results["r"].counts == {"identifiers": 1, "devices": 1}
    rows = dict(found.rows)
    found.restart()
    found.say(owns(COOKIE, JANE, 2))  # told again
    found.say(owns(COOKIE, JANE, 3))
    assert not found.names("anonymous_id:c")
    assert found.rows[key(COOKIE)].erased == row.erased
    assert {k: v for k, v in found.rows.items() if k != key(COOKIE)} == {
        k: v for k, v in rows.items() if k != key(COOKIE)
    }
    found.say(erase(JANE, at=6, event_id="r2"))
    assert not found.names("anonymous_id:c")
    found.say(owns(COOKIE, BOB, 9))
    assert found.row(COOKIE).identifier == COOKIE
    assert found.contact(COOKIE, 9) == found.contact(BOB) is not None
    found.say(erase(BOB, at=10, event_id="r3"))
    assert not found.names("anonymous_id:c")
    assert found.results["r3"].counts == {"identifiers": 1, "devices": 1}


def test_a_device_keeps_its_name_for_whoever_else_has_it() -> None:
    found = Map(seen(BOB, 1), owns(COOKIE, JANE, 2), owns(COOKIE, BOB, 3), erase(JANE, at=5))
    assert found.row(COOKIE).identifier == COOKIE
    named = Map(owns(COOKIE, JANE, 2), erase(JANE, at=5), Named("t", COOKIE, "account_id:7", day(6)))
    assert named.row(COOKIE).identifier == COOKIE


def test_everything_that_requests_of_one_id_name_is_erased() -> None:
    for one, other in ((JANE, BOB), (BOB, JANE)):
        found = Map(seen(JANE, 1), seen(BOB, 1), erase(one, at=5), erase(other, at=6))
        assert found.is_gone(JANE, 5 if one == JANE else 6)
        assert found.is_gone(BOB, 5 if one == BOB else 6)
        assert found.results["r"].counts == {"identifiers": 2, "devices": 0}
        assert found.say(erase(one, at=5)) == []


def test_an_erasure_under_the_id_of_an_export_is_done() -> None:
    found = Map(seen(JANE, 1), erase(JANE, at=5, request="export"), erase(JANE, at=5))
    assert found.is_gone(JANE, 5)
    assert found.results["r"].request == "erase"


def test_a_device_is_counted_as_one() -> None:
    for request in ("erase", "export"):
        found = Map(owns(COOKIE, JANE, 2), erase(COOKIE, at=5, request=request))
        assert found.results["r"].counts == {"identifiers": 0, "devices": 1}
        assert found.results["r"].result == "done"
    assert Map(erase(COOKIE, at=5)).results["r"].counts == {"identifiers": 0, "devices": 0}


def test_of_a_device_that_people_speak_of_every_assertion_counts() -> None:
    found = Map(seen(BOB, 1), owns(COOKIE, JANE, 2))
    assert not found.row(COOKIE).every
    found.say(word("unlink", COOKIE, BOB, 3))  # changes no span
    assert found.row(COOKIE).every
    assert not found.row(BOB).every
    before = dict(found.rows)
    found.restart()
    assert found.rows == before


def test_a_device_without_name_is_erased_by_its_own() -> None:
    found = Map(owns(COOKIE, JANE, 2), word("link", COOKIE, JANE, 3), erase(JANE, at=5))
    assert not found.names("anonymous_id:c")
    assert found.links == {}
    found.restart()
    assert found.links == {}
    found.say(erase(COOKIE, at=6, event_id="r2", request="export"))
    assert found.results["r2"].counts == {"identifiers": 0, "devices": 1}
    found.say(erase(COOKIE, at=7, event_id="r3"))
    assert found.is_gone(COOKIE, 7)
    assert found.results["r3"].counts == {"identifiers": 0, "devices": 1}
