"""Which account is meant, and what ClickHouse holds of it: the questions behind `show` and `explain`."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import click
import msgspec
from clickhouse_connect.driver.client import Client

from schemas.assertion import KINDS
from schemas.internal import ACCOUNT_KINDS, Outcome, kind_of
from schemas.message import DEFAULT_TENANT, RefusedError
from schemas.touchpoint import FACT_TYPES
from streams.console import Failure
from streams.dossier import Dossier, Touch
from streams.ingest.values import Habits
from streams.settings import Settings
from streams.steward import ISSUED, named

MOST_LISTED: Final = 20  # accounts that a part of a name may mean
_OF_ACCOUNTS: Final = (*ACCOUNT_KINDS, "journeys_account_id")

# Rows as the public messages spell them: times in RFC 3339, decimals as text.
_SPELLED: Final[dict[str, Any]] = {
    "date_time_output_format": "iso",
    "session_timezone": "UTC",
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_decimals": 1,
    "output_format_json_named_tuples_as_objects": 1,
}


class Match(msgspec.Struct, frozen=True):
    """An account that may be meant."""

    tenant: str
    account_id: str
    name: str


_dossier = msgspec.json.Decoder(Dossier).decode
_touch = msgspec.json.Decoder(Touch).decode


class Asking:
    """Questions to one ClickHouse."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def lines(self, sql: str, **parameters: Any) -> list[bytes]:
        """The answer, a JSON object each."""
        answer = self._client.raw_query(sql, parameters, settings=_SPELLED, fmt="JSONEachRow")
        return answer.splitlines()

    def rows(self, sql: str, **parameters: Any) -> list[Any]:
        """The answer."""
        return list(self._client.query(sql, parameters=parameters).result_rows)

    def has_heard(self, said: Outcome) -> bool:
        """Whether the outcome has arrived."""
        return bool(
            self.rows(
                "SELECT 1 FROM v_lead_outcomes WHERE tenant = {tenant: String} AND event_id = {id: String}",
                tenant=said.tenant,
                id=said.event_id,
            )
        )

    def tenants(self) -> list[str]:
        """Those that there are."""
        found = self.rows("SELECT DISTINCT tenant FROM accounts ORDER BY tenant")
        return [tenant for (tenant,) in found] or [DEFAULT_TENANT]

    def matches(self, text: str, tenant: str | None, habits: Habits) -> list[Match]:
        """The accounts that `text` names, in one tenant or all; UsageError where it can name none."""
        tenants = [tenant] if tenant else self.tenants()
        one = _identifier(text)
        if one is None:
            return self._called(text, tenants)
        kind, value = one
        if kind not in KINDS:
            raise click.UsageError(f"{kind!r} is no kind of identifier; there are {', '.join(KINDS)}")
        found: list[Match] = []
        for each in tenants:
            try:
                asked = habits.spelling(each).identified(kind, kind, value).identifier
            except RefusedError as error:
                raise click.UsageError(f"{text!r} names nothing: {error}") from None
            found += self._identified(each, asked) if asked else []
        return found

    def _identified(self, tenant: str, asked: str) -> list[Match]:
        """The account of a key or an id of ours; those in which a person is now, else was last."""
        kind, _, value = asked.partition(":")
        resolved = self.rows(
            "SELECT account_id, contact_id FROM resolved"
            " WHERE tenant = {tenant: String} AND identifier = {asked: String}",
            tenant=tenant,
            asked=asked,
        )
        own = value if kind.startswith("journeys_") else ""  # an id that is in use needs no row
        account, contact = resolved[0] if resolved else (own, own)
        if kind in _OF_ACCOUNTS:
            return self._of(tenant, [account])
        members = self.rows(
            "SELECT account_id, valid_to IS NULL FROM v_members"
            " WHERE tenant = {tenant: String} AND contact_id = {contact: String}"
            " ORDER BY valid_to IS NULL DESC, valid_to DESC, account_id",
            tenant=tenant,
            contact=contact,
        )
        now = [one for one, here in members if here] or [one for one, _ in members[:1]]
        return self._of(tenant, now)

    def _of(self, tenant: str, accounts: Iterable[str]) -> list[Match]:
        found = self.rows(
            "SELECT tenant, account_id, name FROM v_accounts"
            " WHERE tenant = {tenant: String} AND account_id IN {ids: Array(String)} ORDER BY account_id",
            tenant=tenant,
            ids=list(dict.fromkeys(accounts)),
        )
        return [Match(*row) for row in found]

    def _called(self, text: str, tenants: Sequence[str]) -> list[Match]:
        """The accounts with this name; else those with this in their name."""
        found = self.rows(
            "SELECT tenant, account_id, name, lowerUTF8(name) = lowerUTF8({text: String}) AS whole"
            " FROM v_accounts WHERE tenant IN {tenants: Array(String)}"
            " AND positionCaseInsensitiveUTF8(name, {text: String}) > 0"
            " ORDER BY whole DESC, name, account_id",
            text=text,
            tenants=list(tenants),
        )
        whole = [Match(*row[:3]) for row in found if row[3]]
        return whole or [Match(*row[:3]) for row in found]

    def dossier(self, match: Match) -> Dossier:
        """All that is held of an account."""
        columns = ", ".join(Dossier.__struct_fields__)
        lines = self.lines(
            f"SELECT {columns} FROM accounts FINAL"
            " WHERE tenant = {tenant: String} AND account_id = {id: String} AND NOT gone",
            tenant=match.tenant,
            id=match.account_id,
        )
        if not lines:
            raise Failure(f"account {match.account_id} is gone")
        found = _dossier(lines[0])
        for member in found.members:
            member.identifiers = [i for i in member.identifiers if _may_be_shown(i, member.consent)]
        return found

    def touches(self, dossier: Dossier, since: str, until: str) -> list[Touch]:
        """The touches of people in the account between two times, both included, ascending."""
        lines = self.lines(
            "SELECT occurred_at AS at, contact_id, type, topic, event_id FROM v_touchpoints"
            " WHERE tenant = {tenant: String} AND account_id = {id: String} AND actor = 'person'"
            " AND type NOT IN {facts: Array(String)}"
            " AND occurred_at BETWEEN parseDateTime64BestEffort({since: String}, 3)"
            " AND parseDateTime64BestEffort({until: String}, 3) ORDER BY occurred_at, event_id",
            tenant=dossier.tenant,
            id=dossier.account_id,
            facts=sorted(FACT_TYPES),
            since=since,
            until=until,
        )
        return [_touch(line) for line in lines]


def the_one(asking: Asking, text: str, tenant: str | None, settings: Settings) -> Match:
    """The account that is meant; Failure, with those that may be, where it is not one."""
    found = asking.matches(text, tenant, Habits.of(settings.of_steps))
    if len(found) == 1:
        return found[0]
    if not found:
        where = f" in tenant {tenant}" if tenant else ""
        raise Failure(f"no account is known by {text!r}{where}")
    raise Failure("\n".join(_several(text, found)))


def _several(text: str, found: Sequence[Match]) -> Iterable[str]:
    yield f"{text!r} may be {len(found)} accounts; name one by its id:"
    more_tenants = len({match.tenant for match in found}) > 1
    for match in found[:MOST_LISTED]:
        tenant = f"  --tenant {match.tenant}" if more_tenants else ""
        yield f"  {match.account_id}  {match.name or 'without a name'}{tenant}"
    if len(found) > MOST_LISTED:
        yield f"  and {len(found) - MOST_LISTED:,} more"


def _identifier(text: str) -> tuple[str, str] | None:
    """Kind and value where it is written so, is an address or an id of ours; None: a part of a name.

    >>> _identifier("domain:acme.nl"), _identifier("jane@acme.nl"), _identifier("Acme")
    (('domain', 'acme.nl'), ('email', 'jane@acme.nl'), None)
    """
    if ISSUED.match(text) or "@" in text or re.match(r"[a-z_]+:\S", text):
        ((kind, value),) = named(text).items()
        return kind, value
    return None


def _may_be_shown(identifier: str, consent: dict[str, bool]) -> bool:
    """No address of one who refuses mail, no more than events carry it."""
    return kind_of(identifier) != "email" or consent.get("email", True)
