"""`journeys show`: the questions behind `streams.show_report`."""

import json
import sys
import time
from pathlib import Path

import click
import msgspec
from rich.console import Console

from streams.account_asking import Asking, the_one
from streams.console import clickhouse, data_dir_option, explained, settings_for
from streams.dossier import Dossier, Touch
from streams.show_report import engagement_by, in_words

PIPE_WIDTH = 110  # columns where nobody says how many there are


def say(found: Dossier, touches: list[Touch], console: Console) -> None:
    """Print it: on a terminal as wide as that is and in colours, else plain."""
    width = console.width if console.is_terminal else PIPE_WIDTH
    for line in in_words(found, touches, int(time.time() * 1000), width):
        if console.is_terminal:
            console.print(line, soft_wrap=True)
        else:
            click.echo(line.plain.rstrip(), file=console.file)


def looked_up(asking: Asking, found: Dossier) -> list[Touch]:
    """The touches of the latest journey."""
    if not found.journeys:
        return []
    journey = found.journeys[-1]
    return asking.touches(
        found, journey.opened_at, journey.last_touch or found.last_seen or journey.opened_at
    )


tenant_option = click.option("--tenant", help="Whose data it is (default: every tenant).")


@click.command()
@click.argument("account")
@tenant_option
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(account: str, tenant: str | None, data_dir: Path | None, as_json: bool) -> None:
    """The timeline of a buying group: who did what when, what it means, what to do next.

    ACCOUNT is an id of ours (former ones too), kind:value (domain:acme.nl, account_id:7), the e-mail address
    of one of its people, or a part of its name.
    """
    from streams.clickhouse import connect

    settings = settings_for(data_dir)
    with explained(), clickhouse(settings, data_dir) as dsn, connect(dsn) as client:
        asking = Asking(client)
        found = asking.dossier(the_one(asking, account, tenant, settings))
        touches = looked_up(asking, found)
    if as_json:
        now = engagement_by(found, int(time.time() * 1000))
        told = {**msgspec.to_builtins(found), "engagement_now": now, "timeline": msgspec.to_builtins(touches)}
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    say(found, touches, Console(file=sys.stdout))
