"""The protocol of a session on a list as changelog: claim, recover, work, sent, strangers, bad records."""

from collections.abc import Sequence
from hashlib import sha256

import pytest
from typing_extensions import override

from schemas.deadletter import PREFIX_BYTES
from schemas.keys import hasher
from streams.core import Group, Member, Output, Record, Rows, Step, StepConfig, Version
from streams.session import CLAIM, MARK, FencedError, Session, Work, pack_version, unpack_version

A, B, C = (bytes(15) + bytes([n]) for n in (1, 2, 3))  # groups
CONFIG = StepConfig(partition=0, partitions=1, generation=0, key_of=hasher("s"))
DROP = b"drop"  # deletes the row


class Tally(Step):
    """Keeps per key the letters it was told, and says each. Fails at a `bad` one and at all `never` ones."""

    name = "tally"
    inputs = ("letters",)
    stateful = True

    def __init__(self, config: StepConfig, bad: Sequence[bytes] = (), never: Sequence[bytes] = ()) -> None:
        del config
        self.bad = set(bad)
        self.never = set(never)
        self.began = 0

    @override
    def recovered(self, rows: Rows) -> None:
        self.began += 1

    @override
    def apply(self, rows: Rows, records: Sequence[Record], version: Version, now: int) -> list[Output]:
        out = []
        for record in records:
            group = record.key or b""
            if record.value == DROP:
                rows.delete(group)
                continue
            rows.put(group, b"", bytes(sorted({*(rows.get(group) or b""), *(record.value or b"")})))
            out.append(said(group, record.value or b""))
        told = {record.value for record in records}
        if told & self.bad or (self.never and self.never <= told) or now < 0:
            raise ValueError("cannot bear it")
        return out

    @override
    def outputs(self, rows: Rows, group: Group, member: Member, version: Version) -> list[Output]:
        return [said(group, bytes([letter])) for letter in rows.get(group, member) or b""]


class Retracting(Tally):
    """What a stranger said and we did not is written into the row in capitals: taken back."""

    def adopt(self, rows: Rows, group: Group, member: Member, theirs: bytes) -> None:
        ours = rows.get(group, member) or b""
        if strange := {*theirs.lower()} - {*ours.lower()}:
            rows.put(group, member, bytes(sorted({*ours, *bytes(strange).upper()})))


def said(group: Group, letters: bytes) -> Output:
    return Output("said", 0, group, letters)


def record(group: Group, value: bytes | None, offset: int = 0) -> Record:
    return Record("letters", 5, offset, 0, group, value)


class Log:
    """A changelog, and the sessions on it."""

    def __init__(self) -> None:
        self.entries: list[tuple[bytes, bytes]] = []

    def claim(self, step: Step | None = None, generation: int = 1) -> Session:
        session = Session(step or Tally(CONFIG), generation, 0)
        session.claimed(len(self.entries))
        self.entries.append((CLAIM, pack_version(generation, session.epoch, 0)))
        return session

    def begin(self, step: Step | None = None, generation: int = 1) -> tuple[Session, Work]:
        """A session that has claimed, recovered, written and sent what it owes."""
        session = self.claim(step, generation)
        first = session.recovered(self.entries)
        self.write(first)
        session.sent(first)
        return session, first

    def write(self, work: Work) -> Work:
        self.entries += work.rows
        return work

    def work(self, session: Session, *records: Record) -> Work:
        """A batch whose outputs are acknowledged."""
        work = self.write(session.work(records, 0))
        session.sent(work)
        return work


def state(session: Session) -> dict[Group, bytes | None]:
    return {group: session.rows.get(group) for group in session.rows.groups()}


def test_versions_compare_as_bytes() -> None:
    versions = [
        pack_version(*v) for v in ((0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 2**40), (1, 0, 0), (2, 0, 0))
    ]
    assert versions == sorted(versions)
    assert unpack_version(versions[3]) == (0, 1, 2**40)


def test_rows_carry_the_version_of_their_work_and_end_with_its_mark() -> None:
    log = Log()
    session, first = log.begin(generation=3)
    assert first.rows == [(MARK, pack_version(3, 0, 0))]
    work = session.work([record(A, b"x"), record(B, b"y"), record(A, b"w")], 0)
    version = pack_version(3, 0, 1)
    assert work.version == version
    assert work.rows == [(A, version + b"wx"), (B, version + b"y"), (MARK, version + pack_version(3, 0, 0))]
    assert work.outputs == [said(A, b"x"), said(B, b"y"), said(A, b"w")]


def test_a_work_without_rows_writes_nothing() -> None:
    log = Log()
    session, _ = log.begin()
    assert session.work([], 0).rows == []


def test_a_mark_tells_which_outputs_are_acknowledged() -> None:
    log = Log()
    session, _ = log.begin()
    one = session.work([record(A, b"a")], 0)
    two = session.work([record(A, b"b")], 0)
    session.sent(one)
    three = session.work([record(A, b"c")], 0)
    session.sent(two)
    four = session.work([record(A, b"d")], 0)
    assert [work.rows[-1][1][24:] for work in (one, two, three, four)] == [
        pack_version(1, 0, 0),
        pack_version(1, 0, 0),
        one.version,
        two.version,
    ]


def test_a_step_without_changelog_has_epoch_0() -> None:
    session = Session(Tally(CONFIG), 4, 0)
    session.recovered([])
    assert session.work([record(A, b"a")], 0).version == pack_version(4, 0, 1)


def test_the_next_session_has_the_rows_and_sends_nothing_that_was_acknowledged() -> None:
    log = Log()
    session, _ = log.begin()
    log.work(session, record(A, b"a"), record(B, b"b"))
    log.work(session, record(A, b"c"))
    log.work(
        session, record(C, b"d")
    )  # its mark says that the two before are acknowledged; it cannot say it of itself
    step = Tally(CONFIG)
    after, first = log.begin(step)
    assert state(after) == {A: b"ac", B: b"b", C: b"d"}
    assert first.outputs == [said(C, b"d")]
    assert step.began == 1
    assert after.epoch > session.epoch


def test_outputs_owed_are_derived_from_the_rows_again() -> None:
    log = Log()
    session, _ = log.begin()
    log.work(session, record(A, b"a"))
    log.write(session.work([record(B, b"bx")], 0))  # a crash before its outputs
    log.write(session.work([record(C, b"c")], 0))
    after, first = log.begin()
    assert first.outputs == [said(B, b"b"), said(B, b"x"), said(C, b"c")]
    assert state(after) == {A: b"a", B: b"bx", C: b"c"}
    log.work(after, record(A, b"d"))  # its mark tells that they are sent
    assert log.begin()[1].outputs == [said(A, b"a"), said(A, b"d")]


def test_what_is_owed_is_owed_until_it_is_sent() -> None:
    log = Log()
    session, _ = log.begin()
    log.write(session.work([record(A, b"a")], 0))
    crashed = log.claim()
    log.write(crashed.recovered(log.entries))  # recovered, wrote its mark, and crashed before it sent
    _, first = log.begin()
    assert first.outputs == [said(A, b"a")]


def test_a_work_that_is_there_in_part_does_not_count_and_is_written_over() -> None:
    log = Log()
    session, _ = log.begin()
    log.work(session, record(A, b"a"), record(B, b"b"))
    part = session.work([record(A, b"x"), record(C, b"y")], 0)
    log.entries += part.rows[:-1]  # without its mark: its batch was not committed and comes again
    after, first = log.begin()
    assert state(after) == {A: b"a", B: b"b"}
    version = pack_version(1, after.epoch, 0)
    assert first.rows[:-1] == [(A, version + b"a"), (C, version)]
    assert first.outputs == [said(A, b"a"), said(B, b"b")]
    assert log.begin()[1].rows[:-1] == []  # once is enough


def test_a_deleted_row_stays_deleted() -> None:
    log = Log()
    session, _ = log.begin()
    log.work(session, record(A, b"a"), record(B, b"b"))
    work = log.work(session, record(A, DROP))
    assert work.rows[0] == (A, work.version)
    after, first = log.begin()
    assert state(after) == {B: b"b"}
    assert first.outputs == []


def test_of_a_key_the_highest_version_holds_not_the_last_written() -> None:
    log = Log()
    old, _ = log.begin()
    log.work(old, record(A, b"a"))
    new, _ = log.begin()
    log.work(new, record(A, b"b"))
    log.write(
        old.work([record(A, b"z"), record(C, b"z")], 0)
    )  # it does not know yet that it lost the partition
    after, first = log.begin()
    assert state(after) == {A: b"ab"}
    assert [key for key, _ in first.rows] == [A, C, MARK]
    assert first.outputs == [said(A, b"a"), said(A, b"b")]


def test_a_row_that_was_outdated_when_written_is_written_over_once() -> None:
    log = Log()
    old, _ = log.begin()
    log.work(old, record(A, b"a"))
    middle, _ = log.begin()
    log.work(middle, record(A, b"b"))
    outdated = old.work([record(A, b"z")], 0).rows[0]
    log.entries.append(outdated)  # before the next claim: it counts, but not any more
    _, first = log.begin()
    assert first.rows[0][0] == A
    assert first.rows[0][1][24:] == b"ab"
    assert [key for key, _ in log.begin()[1].rows] == [MARK]
    log.entries.append(outdated)
    after, first = log.begin()
    assert [key for key, _ in first.rows] == [A, MARK]
    assert state(after) == {A: b"ab"}


def test_a_claim_alone_owns_nothing() -> None:
    log = Log()
    old, _ = log.begin()
    log.claim()  # whether it got the partition is not known: it never wrote
    log.work(old, record(A, b"a"))
    after, _ = log.begin()
    assert state(after) == {A: b"a"}


def test_rows_behind_a_newer_sessions_claim_count_only_until_that_one_has_worked() -> None:
    log = Log()
    old, _ = log.begin()
    claimed = log.claim()
    log.work(old, record(A, b"a"))  # committed: the newer one has not the partition yet
    log.write(claimed.recovered(log.entries[:-2]))
    after, _ = log.begin()
    assert state(after) == {}


def test_a_later_claim_stands_for_the_owners_that_compaction_took_away() -> None:
    log = Log()
    old, _ = log.begin()
    owner, _ = log.begin()
    log.work(owner, record(B, b"b"))
    later = log.claim()  # and nothing more
    log.work(old, record(A, b"a"))
    kept = [row for row in log.entries if row[0] != CLAIM or unpack_version(row[1])[1] == later.epoch]
    after = log.claim()
    after.recovered(kept)
    assert state(after) == {B: b"b"}


def test_everything_since_the_last_good_end_is_sent_again_when_the_broker_forgets() -> None:
    log = Log()
    for generation in (1, 2):
        session, _ = log.begin(generation=generation)
        log.work(session, record(bytes(15) + bytes([generation]), b"a"))
        log.work(session, record(C, b"c"))
    after = log.claim(generation=3)
    assert after.recovered(log.entries, pack_version(2, 0, 0)).outputs == [said(C, b"c"), said(B, b"a")]
    after = log.claim(generation=3)
    assert after.recovered(log.entries, pack_version(0, 0, 0)).outputs == [
        said(A, b"a"),
        said(C, b"c"),
        said(B, b"a"),
    ]
    after = log.claim(generation=3)
    assert after.recovered(log.entries, pack_version(3, 0, 0)).outputs == []


def test_our_own_rows_are_no_strangers() -> None:
    log = Log()
    session, _ = log.begin()
    work = log.work(session, record(A, b"a"))
    assert session.strangers([]) is None
    assert session.strangers(work.rows) is None


def test_strangers_rows_are_written_over_and_what_holds_is_said_again() -> None:
    log = Log()
    old, _ = log.begin()
    session, _ = log.begin()
    log.work(session, record(A, b"a"))
    theirs = old.work([record(A, b"z"), record(C, b"z")], 0)
    answer = session.strangers(theirs.rows)
    assert answer is not None
    assert answer.version == pack_version(1, session.epoch, 2)
    assert answer.rows[:-1] == [(A, answer.version + b"a"), (C, answer.version)]
    assert answer.rows[-1][0] == MARK
    assert answer.outputs == [said(A, b"a")]
    assert state(session) == {A: b"a"}
    assert session.work([record(B, b"b")], 0).version == pack_version(1, session.epoch, 3)


def test_a_strangers_mark_alone_is_answered_with_ours() -> None:
    log = Log()
    old, _ = log.begin()
    session, _ = log.begin()
    answer = session.strangers([old.work([record(A, b"z")], 0).rows[-1]])
    assert answer is not None
    assert [key for key, _ in answer.rows] == [MARK]


@pytest.mark.parametrize("generation", [1, 2])
def test_a_newer_session_that_has_written_fences_us(generation: int) -> None:
    log = Log()
    session, _ = log.begin()
    newer = log.claim(generation=generation)
    assert session.strangers(log.entries[-1:]) is None  # its claim alone does not
    written = newer.recovered(log.entries).rows
    with pytest.raises(FencedError, match="tally, partition 0: a newer session wrote"):
        session.strangers(written)


def test_what_a_stranger_said_is_taken_back() -> None:
    log = Log()
    old, _ = log.begin()
    session, _ = log.begin(Retracting(CONFIG))
    log.work(session, record(A, b"a"))
    theirs = log.write(old.work([record(A, b"z"), record(C, b"y")], 0))
    answer = session.strangers(theirs.rows)
    assert answer is not None
    assert answer.outputs == [said(A, b"Z"), said(A, b"a"), said(C, b"Y")]
    assert state(session) == {A: b"Za", C: b"Y"}
    after, first = log.begin(
        Retracting(CONFIG)
    )  # the answer was not written: the next session finds the same
    assert state(after) == {A: b"Za", C: b"Y"}
    assert first.outputs == answer.outputs


def letter(output: Output) -> dict[str, str]:
    return {name: value.decode() for name, value in output.headers}


@pytest.mark.parametrize("size", [1, 2, 3, 8, 13])
def test_one_bad_record_becomes_a_dead_letter_and_all_others_count(size: int) -> None:
    for bad in range(size):
        session = Session(Tally(CONFIG, bad=[b"!"]), 7, 0)
        session.recovered([])
        records = [record(A, b"!" if n == bad else bytes([97 + n]), 40 + n) for n in range(size)]
        work = session.work(records, 0)
        letters = [output for output in work.outputs if output.topic == "touchpoints.dead-letter"]
        assert [(one.key, one.value, one.partition) for one in letters] == [(A, b"!", 5)]
        assert letter(letters[0]) == {
            "reason": "processing_error",
            "field": "tally",
            "error": "ValueError: cannot bear it",
            "topic": "letters",
            "partition": "5",
            "offset": str(40 + bad),
            "generation": "7",
        }
        good = bytes(97 + n for n in range(size) if n != bad)
        assert state(session) == ({A: good} if good else {})
        assert [output.value for output in work.outputs if output not in letters] == [
            bytes([n]) for n in good
        ]
        if good:
            assert work.rows == [(A, work.rows[0][1][:24] + good), work.rows[-1]]
            assert work.rows[-1][0] == MARK
            assert work.rows[0][1][:24] <= work.rows[-1][1][:24] == work.version


def test_every_bad_record_of_a_batch_is_found() -> None:
    session = Session(Tally(CONFIG, bad=[b"!", b"?"]), 0, 0)
    session.recovered([])
    work = session.work([record(A, value) for value in (b"!", b"a", b"?", b"b", b"!", b"?")], 0)
    assert [one.value for one in work.outputs] == [b"!", b"a", b"?", b"b", b"!", b"?"]
    assert state(session) == {A: b"ab"}


def test_records_that_fail_only_together_are_both_kept() -> None:
    session = Session(Tally(CONFIG, never=[b"a", b"b"]), 0, 0)
    session.recovered([])
    work = session.work([record(A, b"a"), record(A, b"b")], 0)
    assert work.outputs == [said(A, b"a"), said(A, b"b")]
    assert state(session) == {A: b"ab"}
    later = session.work([record(A, b"c")], 0)
    assert later.version > work.version > pack_version(0, 0, 1)  # halves have versions of their own


def test_rows_of_a_batch_that_failed_are_dropped() -> None:
    session = Session(Tally(CONFIG, bad=[b"!"]), 0, 0)
    session.recovered([])
    work = session.work([record(A, b"!")], 0)
    assert state(session) == {}
    assert work.rows == []


def test_without_a_record_to_blame_an_error_is_raised_and_changes_nothing() -> None:
    session = Session(Tally(CONFIG), 0, 0)
    session.recovered([])
    session.work([record(A, b"a")], 0)
    with pytest.raises(ValueError, match="cannot bear it"):
        session.work([], -1)
    assert state(session) == {A: b"a"}


def test_a_large_bad_record_is_cut_and_its_size_and_hash_told() -> None:
    session = Session(Tally(CONFIG), 0, 0)
    value = b"x" * (PREFIX_BYTES + 1)
    cut = session.refuse(record(A, value), ValueError("no"))
    assert cut.value == value[:-1]
    assert letter(cut)["size"] == str(len(value))
    assert letter(cut)["sha256"] == sha256(value).hexdigest()
    whole = session.refuse(record(A, value[:-1]), ValueError("no"))
    assert whole.value == value[:-1]
    assert "size" not in letter(whole)
    assert session.refuse(record(A, None), ValueError("no")).value == b""
