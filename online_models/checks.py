"""Laws that every model here obeys. `check` applies them all; tests apply it to all models.

River's own checks (`river.checks`) hold as well where a model is one of River's kinds.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from online_models.snapshots import UnreadableError

Model = TypeVar("Model")
Item = TypeVar("Item")

NEXT: Final = 1_000  # predictions that a restored model must share with the one that went on
GROWTH: Final = 1.25  # times the size of a snapshot, after three times as many events of the same accounts


class Case(NamedTuple, Generic[Model, Item]):
    """A model and what it lives on."""

    make: Callable[[], Model]
    stream: Callable[[int, int], Sequence[Item]]  # so many items, of a seed; accounts always the same ones
    learn: Callable[[Model, Item], Any]
    predict: Callable[[Model, Item], Any]
    snapshot: Callable[[Model], bytes]
    restore: Callable[[bytes], Model]
    strange: Callable[[Item], Sequence[Item]]  # the item with features that nobody saw, and with none


def check(case: Case[Model, Item], items: int = 2_000) -> None:
    """Raises `AssertionError` where a law is broken.

    Parameters
    ----------
    items
        How many to learn from.
    """
    for law in LAWS:
        law(case, items)


def runs_repeat(case: Case[Model, Item], items: int) -> None:
    """Two models that learned the same are the same."""
    stream = case.stream(items, 1)
    one, two = _learned(case, stream), _learned(case, copy.deepcopy(stream))
    assert case.snapshot(one) == case.snapshot(two), "two runs on the same items differ"


def inputs_stay(case: Case[Model, Item], items: int) -> None:
    """Neither learning nor predicting changes what it is given, nor keeps hold of it."""
    stream = case.stream(items, 2)
    before = copy.deepcopy(stream)
    model = _learned(case, stream)
    for item in stream:
        case.predict(model, item)
    assert stream == before, "an input was changed"


def predicting_changes_nothing(case: Case[Model, Item], items: int) -> None:
    """A model that was asked is the model that was not."""
    stream = case.stream(items, 3)
    model = _learned(case, stream)
    before = case.snapshot(model)
    for item in stream:
        case.predict(model, item)
        for odd in case.strange(item):
            case.predict(model, odd)
    assert case.snapshot(model) == before, "a prediction changed the model"


def restored_goes_on(case: Case[Model, Item], items: int) -> None:
    """A model that was stopped, and went on from its snapshot, predicts the same as one that was not."""
    stream = case.stream(items, 4)
    model = _learned(case, stream)
    restored = case.restore(case.snapshot(model))
    for number, item in enumerate(case.stream(NEXT, 5)):
        assert case.predict(model, item) == case.predict(restored, item), f"prediction {number} differs"
        case.learn(model, item)
        case.learn(restored, item)
    assert case.snapshot(model) == case.snapshot(restored), "they are not the same any more"


def features_come_and_go(case: Case[Model, Item], items: int) -> None:
    """Features that nobody saw, or that are missing, do no harm."""
    model = case.make()
    for item in case.stream(items, 6):
        case.learn(model, item)
        for odd in case.strange(item):
            case.predict(model, odd)
            case.learn(model, odd)


def memory_is_bounded(case: Case[Model, Item], items: int) -> None:
    """More events of the same accounts take no more memory."""
    model = _learned(case, case.stream(items, 7))
    before = len(case.snapshot(model))
    for seed in (8, 9):
        for item in case.stream(items, seed):
            case.learn(model, item)
    after = len(case.snapshot(model))
    assert after <= GROWTH * before, f"{before:,} bytes became {after:,}"


def versions_are_refused(case: Case[Model, Item], items: int) -> None:
    """What is no snapshot of this model, in this version, is refused."""
    snapshot = case.snapshot(_learned(case, case.stream(min(items, 100), 10)))
    for wrong in _wrong(snapshot):
        try:
            case.restore(wrong)
        except UnreadableError:
            continue
        raise AssertionError("a snapshot that it cannot know was taken")


LAWS: Final[tuple[Callable[[Case[Any, Any], int], None], ...]] = (
    runs_repeat,
    inputs_stay,
    predicting_changes_nothing,
    restored_goes_on,
    features_come_and_go,
    memory_is_bounded,
    versions_are_refused,
)


def _learned(case: Case[Model, Item], stream: Sequence[Item]) -> Model:
    model = case.make()
    for item in stream:
        case.learn(model, item)
    return model


def _wrong(snapshot: bytes) -> list[bytes]:
    name, version, state = msgspec.msgpack.decode(snapshot, type=tuple[str, int, msgspec.Raw])
    later, other = (name, version + 1, state), ("another model", version, state)
    return [msgspec.msgpack.encode(later), msgspec.msgpack.encode(other), snapshot[:-3], b""]
