"""The dead letter of an outcome that counts for no hand-off; two steps find that out."""

from typing import Final

import msgspec

from schemas import deadletter
from schemas.internal import Outcome
from schemas.keys import event_key, partition_of
from schemas.times import DAY_MS, rfc3339
from schemas.topics import DEAD, OUTCOMES
from streams.core import Output, StepConfig

PATIENCE_MS: Final = DAY_MS  # of T: so long an outcome waits for its hand-off

_json = msgspec.json.Encoder().encode


def letter(said: Outcome, reason: str, error: str, config: StepConfig) -> Output:
    """The outcome, written as it could have come; one event is one letter, whoever refuses it how often.

    So its offset is negative: a number that stands for the event.
    """
    key = event_key(config.key_of, said.tenant, OUTCOMES.name, said.event_id)
    partition = partition_of(key, config.partitions)
    original = _json(message(said))
    headers = deadletter.headers(
        reason=reason,
        field="handoff_id" if said.handoff else "account",
        error=error,
        topic=OUTCOMES.name,
        partition=partition,
        offset=-1 - int.from_bytes(key[:6], "big"),
        generation=config.generation,
        original=original,
    )
    return Output(DEAD.name, partition, None, original, headers)


def message(said: Outcome) -> dict[str, object]:
    """An outcome as a message on `lead-outcomes`.

    >>> told = Outcome("t", "o1", "won", "", ["domain:acme.nl"], "", "", "950", "EUR", 0, "")
    >>> message(told)["account"], message(told)["value"]
    ({'domain': 'acme.nl'}, '950')
    """
    named = {"handoff_id": said.handoff, "reason": said.reason, "reason_code": said.reason_code}
    named |= {"value": said.value, "currency": said.currency, "by": said.by}
    return {
        "event_id": said.event_id,
        "tenant": said.tenant,
        "occurred_at": rfc3339(said.at),
        "outcome": said.outcome,
        "account": dict(key.split(":", 1) for key in said.account),
        **{name: text for name, text in named.items() if text},
    }
