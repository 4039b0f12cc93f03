"""`journeys outcome`: what became of a lead, told as a message on `lead-outcomes`, and what came of that."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args
from uuid import uuid4

import click

from schemas import outcome as schema
from schemas.internal import ACCOUNT_KINDS, ISSUED_KINDS, Outcome
from schemas.message import DEFAULT_TENANT
from schemas.times import from_rfc3339, rfc3339
from schemas.topics import OUTCOMES
from streams.account_asking import Asking, Match, the_one
from streams.console import Failure, data_dir_option, explained, settings_for
from streams.dossier import Handoff
from streams.explain_command import HANDOFF, letters
from streams.ingest.values import Habits
from streams.journeys.handoffs import OVER, TABLE
from streams.settings import Settings
from streams.show_command import tenant_option
from streams.steward import PATIENCE, Stack, named, read

KINDS: Final = tuple(get_args(get_args(schema.Kind)[0]))
CODES: Final = tuple(get_args(get_args(get_args(schema.Code)[0])[0]))


class Fate(NamedTuple):
    """What an outcome came to."""

    account: str = ""  # name or id
    handoff: Handoff | None = None  # that it counts for, or that it names
    counts: bool = False  # it is the one that holds of that hand-off
    reason: str = ""  # of its dead letter
    error: str = ""

    @property
    def known(self) -> bool:
        """Whether it counts or is refused."""
        return self.counts or bool(self.reason)


def whom(asking: Asking, what: str, tenant: str | None, settings: Settings) -> tuple[dict[str, Any], str]:
    """How the message names what is meant, and whose it is.

    A hand-off or a key of which nothing is known is named all the same: what is to come may explain it.
    """
    handoff = HANDOFF.match(what)
    account = handoff[1] if handoff else what
    found = asking.matches(account, tenant, Habits.of(settings.of_steps))
    if handoff and len(found) <= 1:
        return {"handoff_id": what}, found[0].tenant if found else tenant or DEFAULT_TENANT
    if not found and (key := _key(what)):
        return {"account": key}, tenant or DEFAULT_TENANT
    one = the_one(asking, account, tenant, settings)
    return {"account": {ISSUED_KINDS[1]: one.account_id}}, one.tenant


def _key(what: str) -> dict[str, str]:
    """The account key that this is, if any."""
    kind = what.partition(":")[0]
    return named(what) if kind in ACCOUNT_KINDS else {}


def fate(asking: Asking, said: Outcome, settings: Settings) -> Fate:
    """What came of it so far."""
    found: list[Match] = []
    for key in said.account:
        found = found or asking.matches(key, said.tenant, Habits.of(settings.of_steps))
    reason, error = letters(asking, said.tenant, [said.event_id]).get(said.event_id, ("", ""))
    if not found:
        return Fate(reason=reason, error=error)
    dossier = asking.dossier(found[0])
    account = dossier.name or dossier.account_id
    for one in dossier.handoffs:
        told = one.outcome_at and from_rfc3339(one.outcome_at)
        if (one.outcome, told) == (said.outcome, said.at):
            return Fate(account, one, counts=True)
    meant = [one for one in dossier.handoffs if one.handoff_id == said.handoff]
    open_ = [one for one in dossier.handoffs if one.status not in (*OVER, "withdrawn")]
    return Fate(account, next(iter(meant or open_), None), reason=reason, error=error)


def in_words(said: Outcome, came: Fate) -> Iterator[str]:
    """What came of it, a line each; Failure where it was refused."""
    one = came.handoff
    if came.counts and one is not None:
        yield f"hand-off {one.handoff_id} of {came.account} is {one.status}"
        yield f"  {_from_here(one)}"
        return
    if came.reason:
        raise Failure(f"refused ({came.reason}): {came.error}; {_what_to_do(said, came)}")
    if one is not None and one.outcome_at and from_rfc3339(one.outcome_at) > said.at:
        yield f"hand-off {one.handoff_id} of {came.account} stays {one.status}: what was told later stands"
        return
    yield "no hand-off is known that it is about; it waits, and is refused when none comes within 24 hours"


def _from_here(one: Handoff) -> str:
    if one.status == "lost":
        return "the journey has ended; the next touch opens another one"
    if one.status == "won":
        return "the journey goes on, and counts as won when it ends"
    if one.status in OVER:
        return "it is over; a new request, or enough touches from now on, makes the next one"
    return f"possible from here: {_possible(one)}"


def _possible(one: Handoff) -> str:
    return ", ".join(outcome for outcome in TABLE.get(one.status, ()) if outcome != one.status) or "nothing"


def _what_to_do(said: Outcome, came: Fate) -> str:
    if came.handoff is None:
        known = said.handoff.partition(".")[0] or said.account[0].removeprefix(f"{ISSUED_KINDS[1]}:")
        return f"`journeys show {known}` lists the hand-offs that there are"
    one = came.handoff
    possible = f"possible for {one.handoff_id}, made at {one.at}: {_possible(one)}"
    return f"{possible}; `journeys explain {one.handoff_id}` tells what came before"


def tell(message: Mapping[str, Any], settings: Settings, data_dir: Path | None) -> Iterator[str]:
    """Send it; what came of it, in words."""
    said = read(OUTCOMES.name, message, settings)
    stack = Stack(settings, data_dir, Asking)
    stack.send(OUTCOMES.name, message)
    stack.heard(lambda asking: asking.has_heard(said))
    came = stack.until(lambda asking: fate(asking, said, settings), lambda came: bool(came.known), PATIENCE)
    yield from in_words(said, came)


@click.command()
@click.argument("what", metavar="HANDOFF|ACCOUNT")
@click.argument("outcome", type=click.Choice(KINDS))
@click.option("--reason", help="Why, in words; name nobody here.")
@click.option("--code", type=click.Choice(CODES), help="Why, one of a list.")
@click.option("--value", help="What it is worth, net.")
@click.option("--currency", help="ISO 4217, e.g. EUR.")
@click.option("--by", help="Who says so.")
@click.option("--at", metavar="TIME", help="When (RFC 3339 with an offset; default: now).")
@tenant_option
@data_dir_option
def outcome(what: str, outcome: str, tenant: str | None, data_dir: Path | None, **told: str | None) -> None:
    """Say what became of a hand-off; prints what came of that.

    HANDOFF is its id (account.journey.attempt). ACCOUNT is what `journeys show` takes: the hand-off that was
    open then is meant.
    """
    settings = settings_for(data_dir)
    at = told["at"] or rfc3339(int(time.time() * 1000))
    with explained():
        stack = Stack(settings, data_dir, Asking)
        if stack.holds_data():
            names, whose = stack.ask(lambda asking: whom(asking, what, tenant, settings))
        else:
            names = {"handoff_id": what} if HANDOFF.match(what) else {"account": named(what)}
            whose = tenant or DEFAULT_TENANT
        message = {"event_id": str(uuid4()), "occurred_at": at, "tenant": whose, "outcome": outcome, **names}
        words = {
            "reason": "reason",
            "code": "reason_code",
            "value": "value",
            "currency": "currency",
            "by": "by",
        }
        message |= {field: text for option, field in words.items() if (text := told[option]) is not None}
        for line in tell(message, settings, data_dir):
            click.echo(line)
