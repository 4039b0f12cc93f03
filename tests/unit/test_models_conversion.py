"""Conversion: late outcomes, probabilities that mean what they say, reasons; nothing before 50 outcomes."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from online_models.calibration import Platt, fit_platt, ranked_auc, reliability_error
from online_models.conversion import ENOUGH, FEATURES, TERMS, Conversion, numbers


def handoffs(number: int, seed: int, delay: float = 150):
    """Number, profile, whether it is won, after how many further hand-offs that is told, the true chance."""
    rng = random.Random(seed)
    for n in range(number):
        profile = {
            "members": rng.randint(1, 8),
            "engagement": rng.expovariate(1 / 60),
            "stage": rng.choice(["evaluation", "purchase", "consideration"]),
            "shoe_size": rng.randint(36, 46),
        }
        odds = 1.2 * math.log1p(profile["members"]) + 0.6 * math.log1p(profile["engagement"]) - 5.5
        chance = 1 / (1 + math.exp(-odds - (0.8 if profile["stage"] == "purchase" else 0)))
        won = rng.random() < chance
        # what is won is decided late, what is lost even later
        yield n, profile, won, 1 + int(rng.expovariate(1 / (delay if won else 2 * delay))), chance


def lived(stream, model: Conversion):
    """The model when all was told, and (told probability, won, true chance) of each hand-off."""
    due: dict[int, list] = {}
    told = []
    for n, profile, won, after, chance in stream:
        for handoff, ended in due.pop(n, []):
            model.outcome(handoff, ended)
        found = model.probability(profile)
        if found:
            told.append((found.value, won, chance))
        model.handed_off(f"h{n}", profile)
        due.setdefault(n + after, []).append((f"h{n}", won))
    return told


def test_probabilities_are_nearly_as_good_as_the_truth():
    model = Conversion()
    told = lived(handoffs(4_000, 1), model)[500:]
    truth = ranked_auc([(chance, won) for _, won, chance in told])
    found = ranked_auc([(p, won) for p, won, _ in told])
    assert truth - 0.05 < found <= truth + 0.02
    assert reliability_error([(p, won) for p, won, _ in told]) < 0.05
    quality = model.quality()
    assert quality.outcomes == 500
    assert quality.auc == pytest.approx(found, abs=0.06)
    assert quality.ece < 0.08


def test_reasons_are_the_largest_effects():
    model = Conversion()
    lived(handoffs(2_000, 2), model)
    strong = model.probability({"members": 8, "stage": "purchase", "shoe_size": 41, "colour": "red"})
    names = [term.feature for term in strong.terms]
    assert names[0] == "members"
    assert "stage=purchase" in names
    assert "colour=red" not in names
    assert len(names) <= TERMS
    assert [abs(term.effect) for term in strong.terms] == sorted(
        (abs(term.effect) for term in strong.terms), reverse=True
    )
    assert strong.terms[0].effect > 0 > model.probability({"members": 1}).terms[0].effect


def test_nothing_is_known_before_fifty_outcomes():
    model = Conversion()
    for n in range(ENOUGH):
        assert model.probability({"members": n}) is None
        assert model.quality() is None
        model.handed_off(f"h{n}", {"members": n})
        before = model.snapshot()
        model.handed_off(f"h{n}", {"members": n + 1})  # no news
        assert model.snapshot() == before
    for n in range(ENOUGH):
        assert model.probability({"members": 3}) is None
        model.outcome(f"h{n}", won=False)
        model.outcome(f"h{n}", won=True)  # has ended
        model.outcome("never heard of", won=True)
    assert model.probability({"members": 3}).value < 0.1
    assert model.probability({"members": 3}).outcomes == ENOUGH


def test_late_wins_are_no_losses():
    """All that is handed off is won half of the time, late: an eager model would say far less."""
    model, rng = Conversion(), random.Random(3)
    told = lived(((n, {"x": rng.random()}, rng.random() < 0.5, 300, 0.5) for n in range(1_500)), model)
    assert sum(p for p, _, _ in told[-500:]) / 500 == pytest.approx(0.5, abs=0.06)
    assert model._regression.intercept < -0.4  # which has counted each of them as lost too


def test_words_without_end_take_no_memory():
    model = Conversion()
    for n in range(FEATURES + 500):
        model.learn_one({"member": n, "name": f"somebody {n}"}, True)
    assert len(model._regression.weights) <= FEATURES
    assert model.probability({"name": "somebody else"})


def test_what_is_no_number_is_left_out():
    assert numbers({"a": math.nan, "b": math.inf, "c": {"d": 1}, "e": None, "f": [1, "g"], "h": -1}) == {
        "f=g": 1.0, "h": -math.log(2),
    }  # fmt: skip


@given(st.lists(st.tuples(st.floats(-8, 8), st.booleans()), min_size=1, max_size=80))
def test_calibration_always_ends_in_probabilities(judged):
    platt = fit_platt(judged)
    assert platt.slope >= 0
    found = [platt.probability(score) for score, _ in sorted(judged)]
    assert found == sorted(found)
    assert all(0 <= p <= 1 for p in found)


def test_calibration_finds_what_scores_were_made_with():
    rng, truth = random.Random(4), Platt(0.6, -1.2)
    judged = [
        (score, rng.random() < truth.probability(score)) for score in (rng.gauss(0, 2) for _ in range(20_000))
    ]
    found = fit_platt(judged)
    assert (found.slope, found.shift) == (pytest.approx(0.6, abs=0.05), pytest.approx(-1.2, abs=0.05))
    assert reliability_error([(found.probability(score), won) for score, won in judged]) < 0.02


def test_scores_that_mislead_are_worth_nothing():
    found = fit_platt([(score, score < 0) for score in (-2.0, -1.0, 1.0, 2.0)] * 10)
    assert (found.slope, found.probability(5)) == (0.0, 0.5)


def test_ranks():
    judged = [(0.1, False), (0.5, True), (0.5, False), (0.9, True)]
    assert ranked_auc(judged) == 0.875
    assert ranked_auc([(0.5, True)]) is None
