"""`journeys identity`: the questions behind `streams.identity_report`."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from schemas.internal import ACCOUNT_KINDS, WEAK_KINDS
from schemas.times import rfc3339
from streams.console import clickhouse, data_dir_option, explained, settings_for
from streams.identity_report import (
    Device,
    Group,
    Happened,
    Known,
    Link,
    Period,
    Report,
    Said,
    in_words,
    spans,
)
from streams.settings import Settings
from streams.steward import named

_ISSUED: Final = {"journeys_contact_id": "contact", "journeys_account_id": "account"}


class Asking:
    """Questions to one ClickHouse about one tenant."""

    def __init__(self, client: Any, tenant: str) -> None:
        self._client = client
        self._tenant = tenant

    def _rows(self, sql: str, **parameters: Any) -> list[Any]:
        return list(self._client.query(sql, parameters={"tenant": self._tenant, **parameters}).result_rows)

    def report(self, asked: str, key: int) -> Report:
        """What is known of an identifier, an account key or an id of ours; `key`: its keyed hash."""
        report = Report(self._tenant, asked)
        for since, until in self._rows(
            "SELECT since, until FROM erasures FINAL ARRAY JOIN since, until"
            " WHERE tenant = {tenant: String} AND identifier_key = {key: UInt64}",
            key=key,
        ):
            end = rfc3339(until) if until < 1 << 62 else None
            report.erased.append(Period(rfc3339(since) if since else None, end, ""))
        kind, _, value = asked.partition(":")
        row = self._rows(
            "SELECT arrayMap(t -> toUnixTimestamp64Milli(t), span_from), span_contact, span_account"
            " FROM identity_map FINAL WHERE tenant = {tenant: String} AND identifier = {asked: String}",
            asked=asked,
        )
        starts, contacts, accounts = row[0] if row else ([], [], [])
        if kind in WEAK_KINDS and row:
            names = self._names("v_contacts", "contact_id", contacts)
            report.owners = spans(starts, contacts, names)
            return report
        what = "account" if kind in ACCOUNT_KINDS else _ISSUED.get(kind, "contact")
        ids = [one for one in dict.fromkeys(accounts if what == "account" else contacts) if one]
        if kind in _ISSUED and not row:
            ids = [value]  # in use, so there is no row of it; or unknown
        groups = [self._contact(one) if what == "contact" else self._account(one) for one in ids]
        report.groups = [group for group in groups if group is not None]
        return report

    def _names(self, view: str, column: str, ids: Iterable[str]) -> dict[str, str]:
        rows = self._rows(
            f"SELECT {column}, name FROM {view} WHERE tenant = {{tenant: String}}"
            f" AND {column} IN {{ids: Array(String)}}",
            ids=sorted(set(ids)),
        )
        return dict(rows)

    def _contact(self, contact: str) -> Group | None:
        found = self._rows(
            "SELECT name, identifiers, devices, consent FROM v_contacts"
            " WHERE tenant = {tenant: String} AND contact_id = {id: String}",
            id=contact,
        )
        if not found:
            return None
        name, identifiers, devices, consent = found[0]
        owned = self._rows(
            "SELECT identifier, arrayMap(t -> toUnixTimestamp64Milli(t), span_from), span_contact"
            " FROM identity_map FINAL WHERE tenant = {tenant: String}"
            " AND identifier IN {devices: Array(String)} ORDER BY identifier",
            devices=devices,
        )
        return Group(
            **self._common(contact, "contact", name, identifiers, [*identifiers, *devices]),
            periods=self._periods("contact_id", contact, "account_id", "v_accounts"),
            devices=[
                Device(one, [p for p in spans(starts, owners) if p.id == contact])
                for one, starts, owners in owned
            ],
            consent=dict(consent),
        )

    def _account(self, account: str) -> Group | None:
        found = self._rows(
            "SELECT name, keys, parent_account_id FROM v_accounts"
            " WHERE tenant = {tenant: String} AND account_id = {id: String}",
            id=account,
        )
        keys = self._rows(
            "SELECT identifier FROM resolved WHERE tenant = {tenant: String} AND account_id = {id: String}"
            " AND identifier_kind IN {kinds: Array(String)} ORDER BY identifier",
            id=account,
            kinds=list(ACCOUNT_KINDS),
        )
        if not found and not keys:
            return None
        name, _, parent = found[0] if found else ("", [], "")
        identifiers = [key for (key,) in keys]
        return Group(
            **self._common(account, "account", name, identifiers, identifiers),
            periods=self._periods("account_id", account, "contact_id", "v_contacts"),
            parent=parent,
        )

    def _common(
        self, id_: str, kind: str, name: str, identifiers: Sequence[str], spoken_of: Sequence[str]
    ) -> dict[str, Any]:
        """What a contact and an account have alike."""
        time, all_ = rfc3339, [*spoken_of, f"journeys_{kind}_id:{id_}"]
        seen = dict(
            self._rows(
                "SELECT arrayJoin(arrayConcat(strong, [account])) AS one,"
                " toUnixTimestamp64Milli(min(occurred_at))"
                " FROM touchpoints FINAL WHERE tenant = {tenant: String}"
                " AND hasAny(arrayConcat(strong, [account]), {ids: Array(String)}) GROUP BY one",
                ids=list(identifiers),
            )
        )
        links = self._rows(
            "SELECT a, b, source, toUnixTimestamp64Milli(said_at), state, why FROM identity_links FINAL"
            " WHERE tenant = {tenant: String} AND (a IN {ids: Array(String)} OR b IN {ids: Array(String)})"
            " ORDER BY said_at, a, b, source",
            ids=list(identifiers),
        )
        said = self._rows(
            "SELECT toUnixTimestamp64Milli(said_at), said_by, assertion, a, b FROM v_assertions"
            " WHERE tenant = {tenant: String} AND (a IN {ids: Array(String)} OR b IN {ids: Array(String)})"
            " ORDER BY said_at, event_id",
            ids=all_,
        )
        told = self._rows(
            "SELECT toUnixTimestamp64Milli(occurred_at), type, details FROM v_journey_events"
            " WHERE tenant = {tenant: String} AND NOT retracted AND"
            " (kind = {change: String} AND (details['from'] = {id: String} OR details['into'] = {id: String})"
            " OR kind = 'champion' AND contact_id = {id: String}) ORDER BY occurred_at, id",
            change=f"{kind}_change",
            id=id_,
        )
        former = self._rows(
            "SELECT former_id FROM v_aliases WHERE tenant = {tenant: String} AND current_id = {id: String}"
            " ORDER BY former_id",
            id=id_,
        )
        return {
            **{"tenant": self._tenant, "kind": kind, "id": id_, "name": name},
            "identifiers": [Known(one, time(seen[one]) if one in seen else None) for one in identifiers],
            "links": [Link(a, b, by, time(at), state, why) for a, b, by, at, state, why in links],
            "said": [Said(time(at), by, assertion, a, b) for at, by, assertion, a, b in said],
            "history": [Happened(time(at), type_, dict(details)) for at, type_, details in told],
            "former_ids": [one for (one,) in former],
        }

    def _periods(self, of: str, id_: str, other: str, view: str) -> list[Period]:
        rows = self._rows(
            f"SELECT toUnixTimestamp64Milli(valid_from), toUnixTimestamp64Milli(valid_to), {other}"
            f" FROM v_members WHERE tenant = {{tenant: String}} AND {of} = {{id: String}}"
            f" ORDER BY valid_from NULLS FIRST, {other}",
            id=id_,
        )
        names = self._names(view, other, (row[2] for row in rows))
        return [
            Period(
                None if since is None else rfc3339(since),
                None if until is None else rfc3339(until),
                one,
                names.get(one, ""),
            )
            for since, until, one in rows
        ]


def reports(client: Any, identifier: str, tenant: str | None, settings: Settings) -> tuple[str, list[Report]]:
    """What was asked for, as it is spelled, and what each tenant knows; UsageError where it names nothing."""
    from schemas.assertion import KINDS
    from schemas.keys import hasher
    from schemas.message import DEFAULT_TENANT, RefusedError
    from streams.ingest.values import Habits
    from streams.sink.erased import Erased

    ((kind, value),) = named(identifier).items()
    if kind not in KINDS:
        raise click.UsageError(f"{kind!r} is no kind of identifier; there are {', '.join(KINDS)}")
    habits, erased = Habits.of(settings.of_steps), Erased(hasher(settings.hash_key))
    rows = client.query(
        "SELECT tenant FROM identity_map UNION DISTINCT SELECT tenant FROM erasures ORDER BY tenant"
    ).result_rows
    tenants = [tenant] if tenant else [one for (one,) in rows] or [DEFAULT_TENANT]
    shown, found = "", []
    for one in tenants:
        try:
            asked = habits.spelling(one).identified(kind, kind, value).identifier
        except RefusedError as error:
            raise click.UsageError(f"{identifier!r} names nothing: {error}") from None
        if not asked:
            raise click.UsageError(f"{identifier!r} names neither a person nor a firm")
        shown = shown or asked
        found.append(Asking(client, one).report(asked, erased.key(one, asked)))
    return shown, found


@click.command()
@click.argument("identifier")
@click.option("--tenant", help="Only what this tenant knows (default: every tenant).")
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def identity(identifier: str, tenant: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Which identifiers are the person or firm that IDENTIFIER names, and why.

    IDENTIFIER is kind:value (contact_id:7, domain:acme.nl), an e-mail address, or an id of ours, former ones
    too.
    """
    from streams.clickhouse import connect

    settings = settings_for(data_dir)
    with explained(), clickhouse(settings, data_dir) as dsn, connect(dsn) as client:
        asked, found = reports(client, identifier, tenant, settings)
    if as_json:
        told = [report for report in found if report.groups or report.owners or report.erased]
        click.echo(json.dumps({"identifier": asked, "found": msgspec.to_builtins(told)}, ensure_ascii=False))
        return
    for line in in_words(asked, found):
        click.echo(line)
