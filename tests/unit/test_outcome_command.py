"""`journeys outcome`: whom it is about, what is sent, what came of it."""

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from dossiers import ID, dossier, handoff

from schemas.internal import Outcome
from schemas.times import from_rfc3339
from streams import outcome_command
from streams.account_asking import Match
from streams.cli import main
from streams.console import Failure
from streams.dossier import Handoff
from streams.outcome_command import Fate, fate, in_words, whom
from streams.settings import PREFIX, Settings

AT = "2025-02-25T09:00:00Z"
SETTINGS = Settings()


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)


def said(outcome: str = "accepted", at: str = AT, handoff_id: str = "", key: str = "domain:a.nl") -> Outcome:
    return Outcome("w01", "e1", outcome, handoff_id, [key], "", "", "", "", from_rfc3339(at), "jan")


class Asked:
    """A ClickHouse that knows one account in these tenants, and its hand-offs."""

    def __init__(self, *handoffs: Handoff, tenants: tuple[str, ...] = ("w01",), letter: Any = None) -> None:
        self._handoffs = list(handoffs)
        self._tenants = tenants
        self._letter = letter

    def matches(self, _text: str, tenant: str | None, _: Any) -> list[Match]:
        return [Match(one, ID, "De Klerk") for one in self._tenants if tenant in (None, one)]

    def dossier(self, _: Match) -> Any:
        return dossier(handoffs=self._handoffs)

    def rows(self, *_: Any, **__: Any) -> list[Any]:
        return [self._letter] if self._letter else []


def test_whom_an_argument_means() -> None:
    known, nobody, both = Asked(), Asked(tenants=()), Asked(tenants=("a", "b"))
    named = {"journeys_account_id": ID}

    def of(asked: Any, what: str, tenant: str | None = None) -> Any:
        return whom(asked, what, tenant, SETTINGS)

    assert of(known, f"{ID}.2.1") == ({"handoff_id": f"{ID}.2.1"}, "w01")
    assert of(nobody, f"{ID}.2.1") == ({"handoff_id": f"{ID}.2.1"}, "default")
    assert of(nobody, f"{ID}.2.1", "x") == ({"handoff_id": f"{ID}.2.1"}, "x")
    assert of(known, "klerk") == ({"account": named}, "w01")
    assert of(nobody, "domain:a.nl") == ({"account": {"domain": "a.nl"}}, "default")
    for what in ("klerk", ID, "jane@a.nl", "contact_id:7"):
        with pytest.raises(Failure, match="no account is known"):
            of(nobody, what)
    for what in (f"{ID}.2.1", "domain:a.nl"):
        with pytest.raises(Failure, match="may be 2 accounts"):
            of(both, what)
    assert of(both, f"{ID}.2.1", "b") == ({"handoff_id": f"{ID}.2.1"}, "b")


def test_an_outcome_counts_when_it_is_the_last_word_on_a_hand_off() -> None:
    one = handoff(status="accepted", outcome="accepted", outcome_at="2025-02-25T09:00:00.000Z")
    came = fate(Asked(handoff(2, "expired"), one), said(), SETTINGS)  # type: ignore[arg-type]
    assert (came.account, came.handoff, came.counts, came.known) == ("De Klerk", one, True, True)
    for other in (said("won"), said(at="2025-02-25T09:00:00.001Z")):
        came = fate(Asked(one), other, SETTINGS)  # type: ignore[arg-type]
        assert (came.handoff, came.counts, came.known) == (one, False, False)


def test_a_dead_letter_tells_why_and_the_hand_off_that_was_meant_is_shown() -> None:
    over = handoff(1, "won", outcome="won", outcome_at="2025-02-24T09:00:00.000Z")
    letter = ("e1", "impossible_outcome", "it cannot")
    asked: Any = Asked(over, handoff(2), letter=letter)
    assert fate(asked, said(handoff_id=f"{ID}.2.1"), SETTINGS) == Fate(
        "De Klerk", over, False, "impossible_outcome", "it cannot"
    )
    assert fate(asked, said(), SETTINGS).handoff == handoff(2)  # the open one
    asked = Asked(over, letter=letter)
    assert fate(asked, said(), SETTINGS).handoff is None
    asked = Asked(tenants=(), letter=letter)
    assert fate(asked, said(), SETTINGS) == Fate(reason="impossible_outcome", error="it cannot")


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("accepted", "possible from here: rejected, working, won, lost, recycled"),
        ("working", "possible from here: won, lost, recycled"),
        ("won", "the journey goes on, and counts as won when it ends"),
        ("lost", "the journey has ended; the next touch opens another one"),
        ("recycled", "it is over; a new request, or enough touches from now on, makes the next one"),
    ],
)
def test_what_holds_afterwards(status: str, told: str) -> None:
    lines = list(in_words(said(status), Fate("De Klerk", handoff(status=status), counts=True)))
    assert lines == [f"hand-off {ID}.2.1 of De Klerk is {status}", f"  {told}"]


def test_what_was_told_later_stands() -> None:
    one = handoff(status="won", outcome="won", outcome_at="2025-02-26T09:00:00.000Z")
    assert list(in_words(said(), Fate("De Klerk", one))) == [
        f"hand-off {ID}.2.1 of De Klerk stays won: what was told later stands"
    ]


def test_what_finds_no_hand_off_waits() -> None:
    [line] = in_words(said(), Fate("De Klerk"))
    assert line.endswith("it waits, and is refused when none comes within 24 hours")


@pytest.mark.parametrize(
    ("about", "came", "told"),
    [
        (
            said(),
            Fate("De Klerk", None, False, "no_handoff", "none was open"),
            "refused (no_handoff): none was open; `journeys show domain:a.nl` lists the hand-offs",
        ),
        (
            said(key=f"journeys_account_id:{ID}"),
            Fate("De Klerk", None, False, "no_handoff", "none was open"),
            f"refused (no_handoff): none was open; `journeys show {ID}` lists the hand-offs",
        ),
        (
            said(handoff_id=f"{ID}.2.1"),
            Fate("De Klerk", handoff(status="working"), False, "impossible_outcome", "it cannot"),
            f"refused (impossible_outcome): it cannot; possible for {ID}.2.1, made at "
            "2025-02-20T10:15:00.000Z: won, lost, recycled; `journeys explain",
        ),
    ],
)
def test_what_is_refused_fails_and_says_what_to_do(about: Outcome, came: Fate, told: str) -> None:
    with pytest.raises(click.ClickException) as raised:
        list(in_words(about, came))
    assert raised.value.message.startswith(told)
    assert "\n" not in raised.value.message


def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *arguments: str) -> tuple[Result, list[Any]]:
    sent: list[Any] = []

    def tell(message: Any, settings: Settings, _: Path | None) -> list[str]:
        outcome_command.read("lead-outcomes", message, settings)
        sent.append(message)
        return ["done"]

    monkeypatch.setattr(outcome_command, "tell", tell)
    return CliRunner().invoke(main, ["outcome", *arguments, "--data-dir", str(tmp_path / "none")]), sent


def test_the_message_that_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done, [message] = command(
        *(monkeypatch, tmp_path, "domain:a.nl", "lost", "--reason", "too dear", "--code", "no_budget"),
        *("--value", "12.50", "--currency", "EUR", "--by", "jan", "--at", AT, "--tenant", "w01"),
    )
    assert (done.exit_code, done.output) == (0, "done\n")
    assert len(message.pop("event_id")) == 36
    assert message == {
        "occurred_at": AT,
        "tenant": "w01",
        "outcome": "lost",
        "account": {"domain": "a.nl"},
        "reason": "too dear",
        "reason_code": "no_budget",
        "value": "12.50",
        "currency": "EUR",
        "by": "jan",
    }
    assert json.dumps(message)
    done, [message] = command(monkeypatch, tmp_path, f"{ID}.1.1", "won")
    assert (message["handoff_id"], message["tenant"], "account" in message) == (f"{ID}.1.1", "default", False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("domain:a.nl", "sold"),
        ("domain:a.nl", "lost", "--code", "dear"),
        ("domain:a.nl", "lost", "--at", "now"),
        ("domain:a.nl", "won", "--value", "much"),
        ("klerk", "won"),
    ],
)
def test_what_cannot_be_meant_is_bad_usage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done, sent = command(monkeypatch, tmp_path, *arguments)
    assert (done.exit_code, sent) == (2, [])
