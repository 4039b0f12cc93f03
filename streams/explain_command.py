"""`journeys explain`: the questions behind `streams.explain_report`."""

import json
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from schemas.internal import ISSUED_KINDS
from schemas.topics import OUTCOMES
from streams.account_asking import Asking, the_one
from streams.console import Failure, clickhouse, data_dir_option, explained, settings_for
from streams.dossier import Dossier, Handoff
from streams.explain_report import (
    LARGEST,
    Said,
    effects,
    evidence,
    handoff_in_words,
    score_in_words,
    valued,
)
from streams.settings import Settings
from streams.show_command import tenant_option

HANDOFF: Final = re.compile(r"(a[0-9a-f]{15})\.[1-9][0-9]*\.[1-9][0-9]*\Z")  # account, journey, attempt
_FAR: Final = "9998-12-31T00:00:00Z"

_said = msgspec.json.Decoder(Said).decode


def outcomes(asking: Asking, found: Dossier) -> list[Said]:
    """What was told of an account's hand-offs, with what became a dead letter."""
    former = asking.rows(
        "SELECT former_id FROM v_aliases WHERE tenant = {tenant: String} AND current_id = {id: String}",
        tenant=found.tenant,
        id=found.account_id,
    )
    ids = [found.account_id, *(one for (one,) in former)]
    lines = asking.lines(
        "SELECT event_id, said_at AS at, outcome, handoff_id, reason, reason_code, said_by AS by"
        " FROM v_lead_outcomes WHERE tenant = {tenant: String}"
        " AND hasAny(account_keys, {keys: Array(String)}) ORDER BY said_at, event_id",
        tenant=found.tenant,
        keys=[*found.keys, *(f"{ISSUED_KINDS[1]}:{one}" for one in ids)],
    )
    told = [_said(line) for line in lines]
    refused = letters(asking, found.tenant, [said.event_id for said in told])
    for said in told:
        said.refused, said.error = refused.get(said.event_id, ("", ""))
    return told


def letters(asking: Asking, tenant: str, events: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Reason and error of the outcomes among these events that became dead letters."""
    rows = asking.rows(
        "SELECT JSONExtractString(original, 'event_id') AS event, reason, error FROM v_dead_letters"
        " WHERE tenant = {tenant: String} AND topic = {topic: String} AND event IN {events: Array(String)}",
        tenant=tenant,
        topic=OUTCOMES.name,
        events=list(events),
    )
    return {event: (reason, error) for event, reason, error in rows}


def _handoff(found: Dossier, asked: str) -> Handoff:
    for one in found.handoffs:
        if one.handoff_id == asked:
            return one
    if not found.handoffs:
        raise Failure(f"{found.name or found.account_id} was never handed over")
    there = ", ".join(one.handoff_id for one in found.handoffs)
    raise Failure(f"there is no hand-off {asked}; of {found.name or found.account_id} there are {there}")


def _of_handoff(asking: Asking, found: Dossier, asked: str, settings: Settings) -> tuple[Any, list[str]]:
    """A hand-off explained, as an object and in words."""
    one = _handoff(found, asked)
    opened = next((j.opened_at for j in found.journeys if j.number == one.journey), one.at)
    touches = evidence(found, one, asking.touches(found, opened, _FAR), settings.rules)
    done = effects(found, one, outcomes(asking, found))
    told = {"handoff": one, "account": found.name, "evidence": touches, "outcomes": done}
    return told, list(handoff_in_words(found, one, touches, done, settings.rules))


def _of_score(found: Dossier) -> tuple[Any, list[str]]:
    """A score explained, as an object and in words."""
    parts = valued(found)
    told = {
        "account_id": found.account_id,
        "account": found.name,
        "engagement": found.engagement,
        "engagement_at": found.engagement_at,
        "half_life_days": found.half_life_days,
        "largest": parts[:LARGEST],
        "others": sum(one.value for one in parts[LARGEST:]),
        "sum": sum(one.value for one in parts),
    }
    return told, list(score_in_words(found, int(time.time() * 1000)))


@click.command()
@click.argument("what", metavar="HANDOFF|ACCOUNT")
@tenant_option
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def explain(what: str, tenant: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Why a hand-off is as it is, or what the score of an account is made of.

    HANDOFF is its id (account.journey.attempt): reasons and evidence, who may be called, outcomes, what would
    change it. ACCOUNT is what `journeys show` takes: the ten largest parts of its engagement.
    """
    from streams.clickhouse import connect

    settings = settings_for(data_dir)
    handoff = HANDOFF.match(what)
    with explained(), clickhouse(settings, data_dir) as dsn, connect(dsn) as client:
        asking = Asking(client)
        found = asking.dossier(the_one(asking, handoff[1] if handoff else what, tenant, settings))
        told, lines = _of_handoff(asking, found, what, settings) if handoff else _of_score(found)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(told), ensure_ascii=False))
        return
    for line in lines:
        click.echo(line)
