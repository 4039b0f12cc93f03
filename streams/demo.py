"""`journeys demo` and `journeys dev`: the embedded stack for people who look around."""

import json
import tempfile
import threading
from pathlib import Path

from rich.console import Console
from rich.table import Table

from streams.account_asking import Asking, Match
from streams.clickhouse import DATABASE, connect, query
from streams.embedded import Stack, attach
from streams.market import QUERIES, Figure, Found, Market, compare
from streams.progress import shown, summary_table
from streams.settings import Settings
from streams.show_command import looked_up, say
from streams.summary import Summary, run_lines

TOLD = ("touchpoints", "accounts", "dead_letters")  # tables that hold what was fed
FULL_SHARE = 0.995  # from here on a figure is green


def show(touchpoints: int, seed: int, data_dir: Path | None, settings: Settings) -> None:
    """Simulate a market, run it, print what was found against the truth."""
    data_dir = data_dir or Path(tempfile.mkdtemp(prefix="journeys-demo-"))
    console = Console()
    console.print(f"A simulated market of {touchpoints:,} touchpoints (seed {seed}), in {data_dir}")
    market = Market(touchpoints, seed)
    with shown() as tell:
        summary = run_lines(market.lines(), data_dir, settings, None, tell)
    summary_table(summary)
    console.print(_table(compare(market.truth(), _found(data_dir, summary))))
    _group(data_dir, console)
    console.print(f'Look further: journeys query "SELECT * FROM v_accounts LIMIT 5" --data-dir {data_dir}')


def _group(data_dir: Path, console: Console) -> None:
    """The largest buying group that sales was told of."""
    with attach(data_dir) as dsn, connect(dsn) as client:
        asking = Asking(client)
        largest = asking.rows(
            "SELECT tenant, account_id, name FROM v_accounts WHERE (tenant, account_id) IN"
            " (SELECT tenant, account_id FROM v_handoffs WHERE status != 'withdrawn')"
            " ORDER BY members DESC, touches DESC, account_id LIMIT 1"
        )
        for row in largest:
            found = asking.dossier(Match(*row))
            say(found, looked_up(asking, found), console)


def _found(data_dir: Path, summary: Summary) -> Found:
    with attach(data_dir) as dsn:
        views = {name: json.loads(query(dsn, sql, "json")) for name, sql in QUERIES.items()}
    return Found(
        **views,
        applied=summary.applied,
        duplicates=summary.duplicates,
        dead_letters=summary.dead_letters,
    )


def _table(figures: list[Figure]) -> Table:
    table = Table(title="Found against the truth")
    for name, justify in (
        ("", "left"),
        ("right", "right"),
        ("of", "right"),
        ("share", "right"),
        ("", "left"),
    ):
        table.add_column(name, justify="right" if justify == "right" else "left")
    for figure in figures:
        style = "green" if figure.share >= FULL_SHARE else "yellow"
        share = f"[{style}]{figure.share:.1%}[/]"
        table.add_row(figure.what, f"{figure.right:,}", f"{figure.of:,}", share, figure.meaning)
    return table


def _holds_data(dsn: str) -> bool:
    sql = (
        f"SELECT sum(total_rows) AS rows FROM system.tables WHERE database = '{DATABASE}' AND name IN {TOLD}"
    )
    with connect(dsn, database="default") as client:
        return bool(client.query(sql).result_rows[0][0])


def serve(settings: Settings, only: str | None, kafka_port: int, clickhouse_port: int) -> None:
    """Run the embedded parts until Ctrl-C, or until one ends."""
    ended = threading.Event()
    messages: list[str] = []

    def end(message: str) -> None:
        messages.append(message)
        ended.set()

    ports = {"kafka_port": kafka_port, "clickhouse_port": clickhouse_port}
    with Stack(settings.data_dir, **ports, on_end=end) as stack:
        stack.start(kafka=only != "clickhouse", clickhouse=only != "kafka")
        console = Console()
        if stack.kafka is not None:
            console.print(
                f"export JOURNEYS_BROKER=kafka://{stack.kafka}  JOURNEYS_GENERATION={stack.generation}"
            )
        if stack.clickhouse is not None:
            console.print(f"export JOURNEYS_CLICKHOUSE={stack.clickhouse}")
        if stack.kafka is not None and stack.clickhouse is not None and _holds_data(stack.clickhouse):
            console.print(
                f"warning: the ClickHouse of {stack.data_dir} holds data of an earlier Kafka. Its topics and "
                "the workers' state are gone: what is fed now does not join it; use a fresh --data-dir",
                soft_wrap=True,
            )
        console.print("Ctrl-C ends it")
        ended.wait()
    console.print(messages[0])
