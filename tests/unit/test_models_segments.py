"""Account swap: exact sums, order without a trace, stable ids, and what becomes of segments."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from models import FEATURES, market, profile

from online_models import kmeans
from online_models.kmeans import Evidence
from online_models.scaling import GRID, fit
from online_models.segmentation import DOUBT, ENOUGH, Move, Segmentation, choose
from online_models.segments import AccountSwap, Center, Sums, empty
from online_models.transitions import Transition, trace

SCALER = fit([told for _, told in market(90, 0)], FEATURES, version=1)
CENTERS = [Center(1, (-1.0, 1.0, -1.0)), Center(2, (1.0, -1.0, 1.0))]
grid = st.integers(-int(4 * GRID), int(4 * GRID)).map(lambda n: n / GRID)
points = st.lists(st.tuples(grid, grid, grid), max_size=60)


def filled(accounts: int = 120, seed: int = 1, **options) -> Segmentation:
    book = Segmentation(FEATURES, **options)
    for account, told in market(accounts, seed):
        book.swap(account, told)
    return book


def kinds(book: Segmentation) -> dict[int, set[int]]:
    """Per kind of account, the segments that it is in."""
    found: dict[int, set[int]] = {}
    for account, member in book.members.items():
        found.setdefault(int(account[1:]) % 3, set()).add(member.segment)
    return found


@given(points, points, st.randoms())
def test_sums_are_exact_in_any_order_and_cut(stay, leave, rng):
    steps = [(True, p) for p in stay + leave] + [(False, p) for p in leave]
    rng.shuffle(steps)
    parts = [empty(3), empty(3), empty(3)]
    for enters, point in steps:
        part = rng.choice(parts)
        (part.add if enters else part.remove)(point)
    merged = empty(3)
    for part in parts:
        merged.merge(part)
    straight = empty(3)
    for point in stay:
        straight.add(point)
    assert merged == straight


def test_sums_give_rivers_statistics():
    rng = random.Random(1)
    two = [[tuple(round(rng.gauss(m, 1) * GRID) / GRID for _ in range(2)) for _ in range(40)] for m in (0, 3)]
    made = []
    for some in two:
        sums = empty(2)
        for point in some:
            sums.add(point)
        made.append(sums)
    both = made[0].spread()[1] + made[1].spread()[1]
    values = [p[1] for some in two for p in some]
    mean = sum(values) / 80
    assert both.mean.get() == pytest.approx(mean)
    assert both.get() == pytest.approx(sum((v - mean) ** 2 for v in values) / 79)
    at = (1.0, 2.0)
    assert made[0].squares_from(at) == pytest.approx(sum((x - 1) ** 2 + (y - 2) ** 2 for x, y in two[0]))


@given(st.lists(st.integers(0, 2), min_size=1, max_size=80), st.integers(0, 99))
def test_partitions_merge(kinds_told, seed):
    rng = random.Random(seed)
    told = [profile(kind, rng) for kind in kinds_told]
    whole, parts = AccountSwap(SCALER, CENTERS), [AccountSwap(SCALER, CENTERS) for _ in range(3)]
    for one in told:
        whole.learn_one(one)
        rng.choice(parts).learn_one(one)
    merged = AccountSwap(SCALER, CENTERS)
    for part in rng.sample(parts, 3):
        merged += part
    assert merged.snapshot() == whole.snapshot()
    assert merged.recentred().centers == whole.recentred().centers
    with pytest.raises(ValueError, match="different epochs"):
        merged += AccountSwap(SCALER, [Center(1, (0.0, 0.0, 0.0))])


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from([None, 1, 2])), max_size=40), st.integers(0, 99))
def test_revert_undoes_learning(told, seed):
    rng = random.Random(seed)
    swap = AccountSwap(SCALER, CENTERS)
    swap.learn_one(profile(0, rng))
    before = swap.snapshot()
    learned = [(profile(kind, rng), home) for kind, home in told]
    for one, home in learned:
        swap.learn_one(one, home)
    rng.shuffle(learned)
    for one, home in learned:
        swap.revert(one, home)
    assert swap.snapshot() == before


def test_an_account_moves_only_to_what_is_a_tenth_nearer():
    swap = AccountSwap(None, [Center(1, (0.0,)), Center(2, (1.0,))])
    assert [swap.place((x,), home=1)[0] for x in (0.5, 0.52, 0.526, 0.53)] == [1, 1, 1, 2]
    assert swap.place((0.52,))[0] == 2
    assert swap.place((0.52,), home=7)[0] == 2  # of a segment that is no more


def test_few_accounts_are_in_no_segment():
    book = filled(ENOUGH - 1)
    assert book.close_epoch() == ([], [], [], [])
    assert book.predict(market(1, 0)[0][1]) is None
    assert book.sizes() == {}
    assert book.nearest(["a0000"], 3) == []
    book.swap("a0999", market(1, 0)[0][1])
    assert len(book.close_epoch().moves) == ENOUGH


def test_accounts_of_one_sort_are_in_no_segments():
    rng = random.Random(3)
    book = Segmentation({f"f{n}": "linear" for n in range(6)})
    for n in range(200):
        book.swap(f"a{n}", {f"f{i}": rng.gauss(0, 1) for i in range(6)})
    ended = book.close_epoch()
    assert not ended.moves
    assert not any(one.stands for one in ended.evidence)
    assert all(one.why for one in ended.evidence)


def test_three_sorts_are_three_segments():
    book = filled()
    ended = book.close_epoch()
    assert [one.k for one in ended.evidence if one.stands] == [3]
    assert [one.kind for one in ended.transitions] == ["emerge"] * 3
    assert sorted(book.sizes().values()) == [40, 40, 40]
    assert all(len(segments) == 1 for segments in kinds(book).values())
    like = [int(account[1:]) % 3 for account, _ in book.nearest(["a0000", "a0003"], 30)]
    assert like == [0] * 30


def test_ids_stay_while_everybody_drifts():
    book = filled()
    book.close_epoch()
    before = kinds(book)
    for epoch in range(12):
        for account, told in market(120, 50 + epoch):
            book.swap(account, {**told, "days_since": told["days_since"] * 1.04**epoch})
        assert not book.close_epoch().transitions
    assert kinds(book) == before


def test_order_and_number_of_profiles_leave_no_trace():
    """Two books, one with the profiles in another order, detours and doubles between: the same ends."""
    rng = random.Random(5)
    straight, wild = filled(k=5), filled(k=5)  # five of three sorts: many are between two segments
    for epoch in range(6):
        told = market(120, 100 + epoch)
        for account, one in told:
            straight.swap(account, one)
        detours = [(account, profile(rng.randrange(3), rng)) for account, _ in told for _ in range(2)]
        for account, one in rng.sample(detours, len(detours)) + rng.sample(told, len(told)):
            wild.swap(account, one)
        assert straight.close_epoch()[1:] == wild.close_epoch()[1:]
        assert straight.snapshot() == wild.snapshot()


def test_a_book_that_is_stopped_anywhere_goes_on_as_if_nothing_was():
    rng = random.Random(6)
    steady, stopped = Segmentation(FEATURES), Segmentation(FEATURES)
    for n in range(1_500):
        account = rng.randrange(90)
        told = profile(account % 3 if n < 700 else (account + 1) % 3, rng)
        assert steady.swap(f"a{account}", told) == stopped.swap(f"a{account}", told)
        if n % 37 == 0:
            stopped = Segmentation.restore(stopped.snapshot())
        if n % 100 == 99:
            assert steady.close_epoch() == stopped.close_epoch()
    assert steady.model.error() == stopped.model.error()


def test_a_new_sort_of_accounts_gets_a_new_id():
    book = filled()
    book.close_epoch()
    before = kinds(book)
    rng = random.Random(8)
    for n in range(80):
        book.swap(
            f"z{n}", {"orders": 40 + n % 5, "days_since": 200 + n % 30, "breadth": rng.gauss(0.1, 0.03)}
        )
    ended = book.close_epoch()
    assert len(book.sizes()) == 4
    assert sorted(one.kind for one in ended.transitions) == ["emerge", "survive", "survive", "survive"]
    (new,) = (one.now[0] for one in ended.transitions if one.kind == "emerge")
    assert new == 4
    assert {account: m.segment for account, m in book.members.items() if account[0] == "z"} == {
        f"z{n}": new for n in range(80)
    }
    for account in [account for account in book.members if account[0] == "z"]:
        book.remove(account)
    assert kinds(book) == before


def test_who_goes_leaves_nothing():
    book, other = filled(121), filled(120)
    for one in (book, other):
        one.close_epoch()
    segment = book.members["a0120"].segment
    assert book.remove("a0120") == Move("a0120", segment, None)
    assert book.remove("a0120") is None
    assert book.sizes()[segment] == 40
    assert sum(sums.count for sums in book.model.sums.values()) == 120


def test_segments_made_anew_in_the_same_number_keep_their_ids():
    book = filled(300, k=3)
    book.close_epoch()
    before = {account: member.segment for account, member in book.members.items()}
    for _ in range(DOUBT - 1):
        book.close_epoch()
    for account, told in market(300, 2):  # far beyond the old scale
        book.swap(account, {**told, "orders": told["orders"] * 60, "days_since": told["days_since"] / 60})
    assert not book.close_epoch().transitions
    assert book.model.scaler.version == 2
    assert {account: member.segment for account, member in book.members.items()} == before


def test_drift_is_told():
    book = filled(96, k=3)  # 32 of each: as many as ADWIN waits for, so the last one may raise it
    for _ in range(5):
        assert not book.close_epoch().drifts
    target = book.members["a0000"].segment
    drifts = set()
    for epoch in range(6):
        rng = random.Random(epoch)
        for n in range(0, 96, 3):
            book.swap(f"a{n:04d}", {**profile(0, rng), "breadth": 0.7 * rng.random()})
        restored = Segmentation.restore(book.snapshot())
        ended = book.close_epoch()
        assert restored.close_epoch() == ended
        assert restored.snapshot() == book.snapshot()
        drifts.update(ended.drifts)
    assert target in drifts


def test_survive_split_absorb_vanish_emerge():
    before = {f"{s}{n}": s for s in (1, 2, 3, 4, 5) for n in range(8)}
    after = {f"1{n}": 0 for n in range(8)} | {f"2{n}": 0 for n in range(6)}  # 1 survives, 2 is absorbed
    after |= {f"3{n}": 1 + n % 2 for n in range(8)}  # 3 is split
    after |= {f"4{n}": 3 + n for n in range(8)}  # 4 is scattered
    after |= {f"9{n}": 20 for n in range(8)}  # accounts that were not there
    ids, told = trace(before, after, next_id=6)
    assert told[:5] == [
        Transition("survive", (1,), (1,), 1.0),
        Transition("absorb", (2,), (1,), 1.0),
        Transition("split", (3,), (3, 6), 1.0),
        Transition("vanish", (4,), (), 0.0),
        Transition("vanish", (5,), (), 0.0),
    ]
    assert [one.kind for one in told[5:]] == ["emerge"] * 9
    assert (ids[0], ids[1], ids[2]) == (1, 3, 6)
    assert len(set(ids.values())) == len(ids)
    assert min(set(ids.values()) - {1, 3}) == 6


def row(k, apart, agreement, stands) -> Evidence:
    return Evidence(k, apart, agreement, 10, 1.0, stands, "")


def test_the_number_in_force_stays_while_it_stands():
    rows = [row(2, 0.9, 1.0, True), row(3, 0.7, 0.9, True), row(4, 0.7, 0.95, True), row(5, 0.9, 0.9, False)]
    assert choose(rows) == 4
    assert choose(rows, current=3) == 3
    assert choose(rows, current=5) == 4
    assert choose(rows[:1]) == 2
    assert choose(rows[3:], current=5) == 5


def test_evidence_and_start_are_the_same_for_the_same_accounts():
    told = [SCALER.point(one) for _, one in market(200, 9)]
    assert kmeans.evidence(told, 1) == kmeans.evidence(list(told), 1)
    assert kmeans.starting(told, 3, 1) == kmeans.starting(told, 3, 1)
    assert all(x * GRID == int(x * GRID) for at in kmeans.starting(told, 3, 1) for x in at)


def test_scale_ignores_what_it_does_not_know():
    assert SCALER.point({}) == (0.0, 0.0, 0.0)
    assert SCALER.point({"orders": "many", "breadth": None, "days_since": float("inf")}) == (0.0, 0.0, 0.0)
    assert SCALER.point({"orders": 1e12}) == (4.0, 0.0, 0.0)
    assert SCALER.told(0, SCALER.point({"orders": 7})[0]) == pytest.approx(7, rel=1e-3)
    constant = fit([{"a": 5}] * 9, {"a": "linear"}, 1)
    assert constant.point({"a": 6}) == (0.0,)
    rare = fit([{"a": 0}] * 95 + [{"a": 1}] * 5, {"a": "linear"}, 1)
    assert rare.point({"a": 1})[0] > 3
    with pytest.raises(ValueError, match="'cubic' is none of log, linear"):
        fit([], {"a": "cubic"}, 1)


def test_sums_of_nobody():
    assert empty(2) == Sums(0, [0.0, 0.0], [0.0, 0.0])
    assert [one.get() for one in empty(2).spread()] == [0.0, 0.0]
