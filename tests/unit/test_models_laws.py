"""All models obey the laws of `online_models.checks`, and River's own."""

import random

import pytest
from models import FEATURES, market, profile, river_checks

from online_models import checks
from online_models.checks import Case, check
from online_models.conversion import Conversion
from online_models.rhythms import Rhythms
from online_models.scaling import Scaler, fit
from online_models.segmentation import Segmentation
from online_models.segments import AccountSwap, Center

SCALER = fit([told for _, told in market(90, 0)], FEATURES, version=3)
CENTERS = (Center(4, (-1.0, 1.0, -1.0)), Center(9, (1.0, -1.0, 1.0)))


def profiles(items: int, seed: int) -> list[tuple[str, dict[str, float]]]:
    """Changing profiles of 120 accounts; every 150th item an epoch ends (no account)."""
    rng = random.Random(seed)
    told = []
    for n in range(items):
        account = rng.randrange(120)
        told.append(("", {}) if n % 150 == 149 else (f"a{account:03d}", profile(account % 3, rng)))
    return told


def odd(item):
    account, told = item
    return [(account, {**told, "shoe size": 42.0, "orders": float("nan")}), (account, {})] if account else []


def swapped(book: Segmentation, item):
    account, told = item
    return book.swap(account, told) if account else book.close_epoch()


def active_days(items: int, seed: int) -> list[tuple[str, int]]:
    """Active days of 60 people, told a little out of order; every 2,000th item an epoch ends."""
    rng = random.Random(seed)
    told = [(f"c{rng.randrange(60)}", 1_000 + int(rng.random() * 400) + 10 * seed) for n in range(items)]
    return [("", 1_400 + 10 * seed + n) if n % 2_000 == 1_999 else one for n, one in enumerate(told)]


def lived(rhythms: Rhythms, item):
    who, day = item
    return rhythms.learn_one(who, day) if who else rhythms.close_epoch(day)


def sold(items: int, seed: int) -> list[tuple[str, dict, bool | None]]:
    """Hand-offs of 60 accounts, each with its outcome some time later (True, False)."""
    rng = random.Random(seed)
    told: list[tuple[str, dict, bool | None]] = []
    for _ in range(items):
        account = rng.randrange(60)
        won = None if rng.random() < 0.5 else account % 3 == 0 or rng.random() < 0.1
        told.append((f"h{account}", profile(account % 3, rng) | {"stage": KINDS[account % 3]}, won))
    return told


KINDS = ("evaluation", "purchase", "loyalty")


def sells(model: Conversion, item):
    handoff, told, won = item
    return model.handed_off(handoff, told) if won is None else model.outcome(handoff, won)


CASES = {
    "conversion": Case(
        make=Conversion,
        stream=sold,
        learn=sells,
        predict=lambda model, item: (model.probability(item[1]), model.quality()),
        snapshot=Conversion.snapshot,
        restore=Conversion.restore,
        strange=lambda item: [
            (item[0], {**item[1], "shoe size": 42.0, "orders": float("nan")}, item[2]),
            (item[0], {}, item[2]),
        ],
    ),
    "rhythms": Case(
        make=Rhythms,
        stream=active_days,
        learn=lived,
        predict=lambda model, item: model.predict_one(item[0], item[1] + 300),
        snapshot=Rhythms.snapshot,
        restore=Rhythms.restore,
        strange=lambda item: [("nobody" if item[0] else "", item[1])],
    ),
    "scaler": Case(
        make=lambda: Scaler(SCALER.columns, SCALER.version),
        stream=profiles,
        learn=lambda model, item: model.learn_one(item[1]),
        predict=lambda model, item: model.transform_one(item[1]),
        snapshot=Scaler.snapshot,
        restore=Scaler.restore,
        strange=odd,
    ),
    "account swap": Case(
        make=lambda: AccountSwap(SCALER, CENTERS),
        stream=profiles,
        learn=lambda model, item: model.learn_one(item[1]),
        predict=lambda model, item: model.predict_one(item[1]),
        snapshot=AccountSwap.snapshot,
        restore=AccountSwap.restore,
        strange=odd,
    ),
    "segmentation": Case(
        make=lambda: Segmentation(FEATURES),
        stream=profiles,
        learn=swapped,
        predict=lambda model, item: model.predict(item[1]),
        snapshot=Segmentation.snapshot,
        restore=Segmentation.restore,
        strange=odd,
    ),
}


@pytest.mark.parametrize("law", checks.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("name", CASES)
def test_laws(name, law):
    law(
        CASES[name], {"rhythms": 12_000, "conversion": 4_000}.get(name, 1_000)
    )  # days of 60 people until no more are kept


RIVER = [
    pytest.param(kind(**params), check, id=f"{kind.__name__}-{number}-{check.__name__}-{at}")
    for kind in (Scaler, AccountSwap, Conversion)
    for number, params in enumerate(kind._unit_test_params())
    for at, check in enumerate(river_checks(kind(**params)))
]


@pytest.mark.parametrize(("model", "law"), RIVER)
def test_river(model, law):
    law(model.clone())


class Forgetful(AccountSwap):
    """Learns while it predicts, as some of River's do."""

    def predict_one(self, x, home=None):
        self.learn_one(x)
        return super().predict_one(x, home)


def test_a_broken_model_is_found():
    broken = CASES["account swap"]._replace(
        make=lambda: Forgetful(SCALER, CENTERS), restore=AccountSwap.restore
    )
    with pytest.raises(AssertionError, match="a prediction changed the model"):
        check(broken, 100)
