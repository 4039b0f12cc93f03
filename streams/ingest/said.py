"""What people say and ask for, not what they did: normalised, and refused where it can mean nothing."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from schemas.assertion import DEFAULT_BY, KINDS, Assertion
from schemas.command import NEEDS, AccountCommand
from schemas.internal import (
    ACCOUNT_KINDS,
    STRONG_KINDS,
    WEAK_KINDS,
    Asserted,
    Command,
    Outcome,
    Request,
    kind_of,
)
from schemas.message import ID_BYTES, RefusedError, show
from schemas.outcome import LeadOutcome
from schemas.privacy import KINDS as PERSONAL
from schemas.privacy import PrivacyRequest
from streams.ingest.touch import amount
from streams.ingest.values import Spelling, label, nameless, required

_ABOUT: Final[Mapping[str, str]] = {
    **dict.fromkeys((*STRONG_KINDS, "journeys_contact_id"), "person"),
    **dict.fromkeys(WEAK_KINDS, "device"),
    **dict.fromkeys((*ACCOUNT_KINDS, "journeys_account_id"), "account"),
}
_PAIRS: Final = (["person", "person"], ["device", "person"], ["account", "account"])  # each sorted
_OF_ACCOUNTS: Final = ("alias", "parent")
_FIRM: Final = (*ACCOUNT_KINDS, "journeys_account_id")  # by which an account can be named
_HANDOFF: Final = re.compile(r"(a[0-9a-f]{15})\.[1-9][0-9]*\.[1-9][0-9]*\Z")  # account, journey, attempt


def asserted(said: Assertion, tenant: str, spelling: Spelling, at: int) -> Asserted:
    """The statement; RefusedError where it names nothing, one thing twice, or what is no pair."""
    kind = said["assertion"]
    required(said["event_id"], "event_id")
    by = label(said.get("by"), "by", ID_BYTES) or DEFAULT_BY
    a, b = _named("a", said["a"], spelling), _named("b", said["b"], spelling)
    if a == b:
        raise RefusedError("wrong_type", "b", f"{show(said['b'])} is the same as a; name two different ones")
    pair = sorted((_ABOUT[kind_of(a)], _ABOUT[kind_of(b)]))
    if pair not in _PAIRS:
        raise RefusedError(
            "wrong_type",
            "b",
            f"{' and '.join(pair)} are no pair: name two people, a device and a person, or two accounts",
        )
    if kind in _OF_ACCOUNTS and pair != ["account", "account"]:
        raise RefusedError("wrong_type", "assertion", f"{show(kind)} is of accounts; send link for people")
    return Asserted(tenant, said["event_id"], kind, a, b, at, by)


def _named(field: str, given: Mapping[str, str | float | bool | None], spelling: Spelling) -> str:
    """The one thing that `given` names."""
    if len(given) > 1:
        raise RefusedError("wrong_type", field, f"names {len(given)} things, send exactly one: {show(given)}")
    for kind, value in given.items():
        if kind in KINDS:
            return _usable(f"{field}.{kind}", kind, value, spelling)
    raise RefusedError("no_identifier", field, f"send one of {', '.join(KINDS)}")


def _usable(name: str, kind: str, value: str | float | bool | None, spelling: Spelling) -> str:
    """The identifier, where it is one; what is worthless on a touch is an error where somebody names it."""
    found = "" if value is None else spelling.identified(name, kind, value).identifier
    if not found:
        raise RefusedError("no_identifier", name, f"{show(value)} {nameless(kind, value)}")
    return found


def request(said: PrivacyRequest, tenant: str, spelling: Spelling, at: int) -> Request:
    """The request; RefusedError where it names nobody.

    A null says nothing, any other value that names nobody is an error: what was meant would stay.
    """
    required(said["event_id"], "event_id")
    found: list[str] = []
    for kind in PERSONAL:
        values = said["identifiers"].get(kind)
        for value in values if isinstance(values, list) else [values]:
            if value is not None:
                found.append(_usable(f"identifiers.{kind}", kind, value, spelling))
    if not found:
        raise RefusedError("no_identifier", "identifiers", f"send at least one of {', '.join(PERSONAL)}")
    return Request(tenant, said["event_id"], said["request"], list(dict.fromkeys(found)), at)


def outcome(said: LeadOutcome, tenant: str, spelling: Spelling, at: int) -> Outcome:
    """The outcome; RefusedError where it names neither a hand-off nor an account."""
    required(said["event_id"], "event_id")
    handoff = label(said.get("handoff_id"), "handoff_id", ID_BYTES).lower()
    found = _HANDOFF.match(handoff)
    if handoff and not found:
        raise RefusedError("no_identifier", "handoff_id", f"{show(handoff)} is no id that we gave out")
    account = _any("account", _FIRM, said.get("account") or {}, spelling)
    if found and not account:
        account = [f"journeys_account_id:{found[1]}"]
    if not account:
        wanted = f"send handoff_id, or at least one of {', '.join(_FIRM)}"
        raise RefusedError("no_identifier", "account", wanted)
    return Outcome(
        tenant=tenant,
        event_id=said["event_id"],
        outcome=said["outcome"],
        handoff=handoff,
        account=account,
        reason=label(said.get("reason"), "reason"),
        reason_code=said.get("reason_code") or "",
        value=amount(said.get("value")),
        currency=label(said.get("currency"), "currency", ID_BYTES).upper(),
        at=at,
        by=label(said.get("by"), "by", ID_BYTES),
    )


def command(said: AccountCommand, tenant: str, spelling: Spelling, at: int) -> Command:
    """The command, without fields it does not need; RefusedError where it lacks one, or names nobody."""
    required(said["event_id"], "event_id")
    kind = said["command"]
    account = _any("account", _FIRM, said["account"], spelling)
    if not account:
        raise RefusedError("no_identifier", "account", f"send at least one of {', '.join(_FIRM)}")
    given: Mapping[str, Any] = said
    identifiers: list[str] = []
    words = dict.fromkeys(("role", "owner", "scheme", "segment"), "")
    for name in NEEDS[kind]:
        if given.get(name) is None:
            raise RefusedError("missing_field", name, f"is required by {kind} and missing")
        if name in words:
            words[name] = required(label(given[name], name), name)
        else:
            identifiers = _any(name, PERSONAL, given[name], spelling)
            if not identifiers:
                raise RefusedError("no_identifier", name, f"send at least one of {', '.join(PERSONAL)}")
    by = label(said.get("by"), "by", ID_BYTES)
    return Command(tenant, said["event_id"], kind, account, identifiers, **words, at=at, by=by)


def _any(where: str, kinds: Sequence[str], given: Mapping[str, Any], spelling: Spelling) -> list[str]:
    """All that name something, strongest first; RefusedError where there are values and none does.

    One and the same is named by several keys, so one that is worthless harms no other. A null says nothing.
    """
    found: list[str] = []
    refusal: RefusedError | None = None
    for kind in kinds:
        if (value := given.get(kind)) is not None:
            try:
                found.append(_usable(f"{where}.{kind}", kind, value, spelling))
            except RefusedError as error:
                if error.reason != "no_identifier":
                    raise
                refusal = refusal or error
    if refusal is not None and not found:
        raise refusal
    return found
