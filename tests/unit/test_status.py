"""Status from samples: lag, owners, and what counts as idle."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from streams.status import Sample, Status, _members, idle, show, steps_of

READS = [("step", "group", ("a", "b"))]
ALL = {(topic, n): 5 for topic in ("a", "b") for n in range(2)}
DONE = Sample(
    ends=ALL,
    begins=dict.fromkeys(ALL, 0),
    committed={"group": ALL},
    owners={"group": dict.fromkeys(ALL, "me")},
)


def test_everything_committed_and_owned_is_idle() -> None:
    (step,) = steps_of(DONE, READS)
    assert (step.lag, step.owned, len(step.partitions)) == (0, 2, 2)
    assert idle([step])


def test_lag_is_told_by_partition_and_topic() -> None:
    (step,) = steps_of(replace(DONE, committed={"group": ALL | {("b", 1): 2}}), READS)
    assert (step.lag, step.partitions[1].lag, step.partitions[1].topics) == (3, 3, {"b": 3})
    assert not idle([step])


def test_a_topic_that_was_never_committed_is_read_from_its_beginning() -> None:
    never = {at: offset for at, offset in ALL.items() if at != ("a", 0)}
    (step,) = steps_of(replace(DONE, committed={"group": never}, begins=dict.fromkeys(ALL, 1)), READS)
    assert step.partitions[0].topics == {"a": 4}
    (step,) = steps_of(replace(DONE, committed={"group": never}, begins=ALL), READS)
    assert idle([step])


def test_without_an_owner_nothing_is_idle() -> None:
    nobody = {at: owner for at, owner in DONE.owners["group"].items() if at[1] != 1}
    (step,) = steps_of(replace(DONE, owners={"group": nobody}), READS)
    assert (step.lag, step.owned) == (0, 1)
    assert not idle([step])


def test_topics_of_one_partition_with_several_owners_have_none() -> None:
    split = DONE.owners["group"] | {("b", 0): "another"}
    (step,) = steps_of(replace(DONE, owners={"group": split}), READS)
    assert [partition.owner for partition in step.partitions] == [None, "me"]


def test_what_the_embedded_broker_tells_of_groups_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    def describe_groups(_: Any) -> Any:
        raise ValueError("15 is not a valid ACLOperation")

    assert _members(SimpleNamespace(describe_groups=describe_groups), ["group"]) is None
    steps = steps_of(replace(DONE, owners={"group": {}}), READS)
    show(Status("broker", "group", drained=False, steps=steps, owners_known=False))
    told = capsys.readouterr().out
    assert "unknown: 0-1" in told
    assert "nobody" not in told
    assert "does not tell who works on what" in told
