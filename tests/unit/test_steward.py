"""`journeys link`, `unlink`, `cannot-link`, `forget`: what is sent, when it has come, what is printed."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kafka
import pytest
from click.testing import CliRunner, Result
from kafka.errors import KafkaError

from schemas.internal import Asserted, Request
from schemas.times import from_rfc3339
from streams import steward, summary
from streams.cli import main
from streams.settings import PREFIX, Settings
from streams.whereabouts import Answer, Group, Pair, Person, pair_in_words, request_in_words

AT = "2025-05-06T09:00:00Z"
JANE = Group("c1", "Jane", ("contact_id:7", "email:j@acme.nl"))
JOHN = Group("c2", "", ("email:john@acme.nl",))
SEEN = {name: ["default"] for name in ("contact_id:7", "email:j@acme.nl", "email:john@acme.nl")}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


class World:
    """What the commands reach: a stack that takes lines or messages, and a ClickHouse that answers."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.dsn: list[str] = []
        self.answers: dict[str, list[Any]] = {}  # by question: what it finds, in order; the last one stays
        self.now = 0.0

    def run_lines(
        self, lines: Iterable[bytes], data_dir: Path, settings: Settings, as_of: int, _: Any
    ) -> None:
        assert (settings.data_dir, as_of) == (data_dir, 0)  # the clock stays
        for line in lines:
            self.sent.append(tuple(json.loads(line).values()))

    def producer(self, **_: Any) -> SimpleNamespace:
        def send(topic: str, value: bytes) -> SimpleNamespace:
            self.sent.append((topic, json.loads(value)))
            return SimpleNamespace(get=lambda timeout: timeout)

        return SimpleNamespace(send=send, close=lambda: None)

    def __getattr__(self, question: str) -> Callable[..., Any]:
        answers = self.answers[question]
        return lambda *_: answers.pop(0) if len(answers) > 1 else answers[0]

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Connected:
    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def __enter__(self) -> str:
        return self.dsn

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(summary, "run_lines", made.run_lines)
    monkeypatch.setattr(kafka, "KafkaProducer", made.producer)
    monkeypatch.setattr("streams.console.attach", lambda _: Connected("embedded"))

    def connect(dsn: str) -> Connected:
        made.dsn.append(dsn)
        return Connected(dsn)

    monkeypatch.setattr("streams.clickhouse.connect", connect)
    monkeypatch.setattr("streams.whereabouts.Asking", lambda _: made)
    clock = SimpleNamespace(
        monotonic=lambda: made.now, sleep=made.sleep, time=lambda: from_rfc3339(AT) / 1000
    )
    monkeypatch.setattr(steward, "time", clock)
    return made


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYS_BROKER", "kafka://a:1")
    monkeypatch.setenv("JOURNEYS_CLICKHOUSE", "http://b:2")


def said(assertion: str = "link", a: str = "contact_id:7", b: str = "email:j@acme.nl") -> Asserted:
    return Asserted("default", "1", assertion, a, b, from_rfc3339(AT), "steward")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("contact_id:7", {"contact_id": "7"}),
        ("anonymous_id:a:b", {"anonymous_id": "a:b"}),
        ("domain:acme.nl", {"domain": "acme.nl"}),
        ("mailto:jane@acme.nl", {"email": "mailto:jane@acme.nl"}),
        ("Jane Doe <jane@acme.nl>", {"email": "Jane Doe <jane@acme.nl>"}),
        ("c0123456789abcde", {"journeys_contact_id": "c0123456789abcde"}),
        ("a0123456789abcde", {"journeys_account_id": "a0123456789abcde"}),
    ],
)
def test_what_an_argument_names(text: str, found: dict[str, str]) -> None:
    assert steward.named(text) == found


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["link", "jane", "j@acme.nl"], "'jane' names nothing: write kind:value (contact_id:7), an e-mail"),
        (["link", "info@acme.nl", "j@acme.nl"], "a.email: 'info@acme.nl' is a role mailbox"),
        (["unlink", "j@acme.nl", "J@acme.nl"], "is the same as a"),
        (["cannot-link", "phone:0612345678", "device_id:1"], "device and device are no pair"),
        (["link", "x:1", "j@acme.nl"], "a: send one of contact_id, "),
        (["link", "user_id:1", "j@acme.nl", "--at", "yesterday"], "occurred_at: 'yesterday' is no time"),
        (["forget", "domain:acme.nl"], "identifiers: send at least one of contact_id"),
        (["forget", "j@acme.nl", "phone:1"], "identifiers.phone: '1' names neither person nor firm"),
        (["forget"], "Missing argument 'IDENTIFIERS...'"),
    ],
)
def test_what_would_be_refused_is_bad_usage_and_nothing_is_sent(
    world: World, arguments: list[str], error: str
) -> None:
    done = command(*arguments)
    assert (done.exit_code, done.stdout, world.sent) == (2, "", [])
    assert error in done.stderr


def test_embedded_a_link_is_a_line_of_a_run(world: World, tmp_path: Path) -> None:
    world.answers = {"has_heard": [True], "pair": [Pair(said(), JANE, JANE)]}
    done = command(
        "link", "contact_id:7", "J@Acme.nl", "--data-dir", tmp_path, "--tenant", "w01", "--by", "me"
    )
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "contact_id:7 and email:j@acme.nl are one contact",
        "  c1 (Jane): contact_id:7, email:j@acme.nl",
        *(  # nothing is there yet
            f"nothing was ever seen of {name}; to take it back:"
            " journeys unlink contact_id:7 email:j@acme.nl --tenant w01"
            for name in ("contact_id:7", "email:j@acme.nl")
        ),
    ]
    [(topic, message)] = world.sent
    assert message.pop("event_id")
    assert (topic, message) == (
        "identity-assertions",
        {
            "occurred_at": AT,
            "tenant": "w01",
            "assertion": "link",
            "a": {"contact_id": "7"},
            "b": {"email": "J@Acme.nl"},
            "by": "me",
        },
    )
    assert set(world.dsn) == {"embedded"}


def test_each_statement_is_one_of_its_own(world: World, tmp_path: Path) -> None:
    world.answers = {"has_heard": [True], "pair": [Pair(said("cannot_link"), JANE, JOHN)]}
    for name in ("unlink", "cannot-link", "cannot-link"):
        at = "2025-01-01T00:00:00Z"
        done = command(name, "contact_id:7", "j@acme.nl", "--data-dir", tmp_path, "--at", at)
        assert done.exit_code == 0
    assert [message["assertion"] for _, message in world.sent] == ["unlink", "cannot_link", "cannot_link"]
    assert {message["occurred_at"] for _, message in world.sent} == {"2025-01-01T00:00:00Z"}
    assert len({message["event_id"] for _, message in world.sent}) == 3


@pytest.mark.usefixtures("production")
def test_configured_it_is_sent_and_waited_for(world: World) -> None:
    world.answers = {
        "tenants": [SEEN],
        "has_heard": [False, False, True],
        "pair": [Pair(said(), JANE, JOHN), Pair(said(), JANE, JANE)],
    }
    done = command("link", "contact_id:7", "j@acme.nl")
    assert done.exit_code == 0
    assert "are one contact" in done.stdout
    assert [topic for topic, _ in world.sent] == ["identity-assertions"]
    assert set(world.dsn) == {"http://b:2"}
    assert 0 < world.now < 2


@pytest.mark.usefixtures("production")
def test_a_data_directory_that_is_named_wins(world: World, tmp_path: Path) -> None:
    world.answers = {"has_heard": [True], "pair": [Pair(said(), JANE, JANE)]}
    assert command("link", "contact_id:7", "j@acme.nl", "--data-dir", tmp_path).exit_code == 0
    assert set(world.dsn) == {"embedded"}


@pytest.mark.usefixtures("production")
def test_what_does_not_come_about_is_told_with_the_reason(world: World) -> None:
    why = "contact_id:7 and email:john@acme.nl, said people: kept apart by steward"
    world.answers = {"tenants": [SEEN], "has_heard": [True], "pair": [Pair(said(), JANE, JOHN, (why,))]}
    done = command("link", "contact_id:7", "john@acme.nl")
    assert done.exit_code == 0  # it was said, and it is kept
    assert done.stdout.splitlines() == [
        "contact_id:7 and email:j@acme.nl are two contacts still",
        "  c1 (Jane): contact_id:7, email:j@acme.nl",
        "  c2: email:john@acme.nl",
        f"  does not hold: {why}",
    ]
    assert steward.PATIENCE <= world.now < steward.PATIENCE + 1


@pytest.mark.usefixtures("production")
def test_what_is_not_heard_in_time_fails(world: World) -> None:
    world.answers = {"tenants": [SEEN], "has_heard": [False]}
    done = command("link", "contact_id:7", "john@acme.nl")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "ClickHouse does not show it yet: `journeys status` shows what is behind" in done.stderr
    assert steward.SECONDS <= world.now < steward.SECONDS + 1


@pytest.mark.usefixtures("production")
def test_a_broker_that_does_not_answer_is_told_in_one_line(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNEYS_BROKER", "127.0.0.1:1")
    world.answers = {"tenants": [SEEN]}

    def refuse(**_: Any) -> None:
        raise KafkaError("nobody is there")

    monkeypatch.setattr(kafka, "KafkaProducer", refuse)
    done = command("link", "contact_id:7", "john@acme.nl")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "Error: Kafka at 127.0.0.1:1: KafkaError: nobody is there\n"


def test_forget_says_what_was_done(world: World, tmp_path: Path) -> None:
    (tmp_path / "clickhouse").mkdir()
    world.answers = {
        "person": [Person((JANE,), 14)],
        "answer": [Answer("done", {"identifiers": 2, "devices": 1}, ("c1",))],
        "touches": [0],
    }
    done = command("forget", "J@acme.nl", "jane@gmail.com", "phone:06-12345678", "--data-dir", tmp_path)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"erased, up to {AT}: identifiers 2, devices 1",
        "  contact c1 (Jane): contact_id:7, email:j@acme.nl",
        "  14 touchpoints removed, 0 left",
        f"  the request is kept: what is dated up to {AT} and comes later is refused",
    ]
    [(topic, message)] = world.sent
    assert (topic, message["request"], message["occurred_at"]) == ("privacy-requests", "erase", AT)
    assert message["identifiers"] == {"email": ["J@acme.nl", "jane@gmail.com"], "phone": ["06-12345678"]}


def test_forget_where_nothing_is_known_is_done_all_the_same(world: World, tmp_path: Path) -> None:
    answer = Answer("not_found", {}, ())
    world.answers = {"answer": [answer], "touches": [0], "tenants": [{}]}  # nobody is asked before
    done = command("forget", "j@acme.nl", "--data-dir", tmp_path)
    assert done.exit_code == 0
    first, *others = done.stdout.splitlines()
    assert (first, len(others)) == ("nothing is known of email:j@acme.nl", 1)
    assert len(world.sent) == 1
    world.answers["tenants"] = [{"email:j@acme.nl": ["p", "q"]}]
    done = command("forget", "j@acme.nl", "--data-dir", tmp_path)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == (
        "nothing was ever seen of email:j@acme.nl in tenant default; tenants p, q know it:"
        " add --tenant p or --tenant q"
    )


@pytest.mark.usefixtures("production")
@pytest.mark.parametrize("name", ["link", "unlink", "cannot-link"])
def test_another_tenant_may_know_what_this_one_never_saw(world: World, name: str) -> None:
    pair = Pair(said(name.replace("-", "_")), JANE, JANE if name == "link" else JOHN)
    known = {"contact_id:7": ["default", "p"], "email:j@acme.nl": ["p"]}
    world.answers = {"has_heard": [True], "pair": [pair], "tenants": [known]}
    done = command(name, "contact_id:7", "j@acme.nl")
    assert done.exit_code == 0
    assert [line for line in done.stdout.splitlines() if "seen" in line] == [
        "nothing was ever seen of email:j@acme.nl in tenant default; tenant p knows it: add --tenant p"
    ]
    world.answers["tenants"] = [known | {"email:j@acme.nl": []}]
    told = command(name, "contact_id:7", "j@acme.nl").stdout
    assert ("to take it back: journeys unlink contact_id:7 email:j@acme.nl\n" in told) is (name == "link")


@pytest.mark.usefixtures("production")
def test_forget_waits_until_nothing_is_left_and_fails_where_something_is(world: World) -> None:
    world.answers = {
        "person": [Person((JANE,), 14)],
        "answer": [None, Answer("done", {}, ("c1",))],
        "touches": [14, 3, 0],
    }
    assert command("forget", "j@acme.nl").exit_code == 0
    world.answers |= {"answer": [Answer("done", {}, ("c1",))], "touches": [3]}
    done = command("forget", "j@acme.nl")
    assert done.exit_code == 1
    assert "11 touchpoints removed, 3 left" in done.stdout
    assert "3 touchpoints are not removed yet" in done.stderr


FIRM = Group("a1", "Acme", ("account_id:9", "domain:acme.nl"))
DEVICE = ("anonymous_id:c1", "email:j@acme.nl")


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (Pair(said("unlink"), JANE, JANE), "contact_id:7 and email:j@acme.nl are one contact still, "),
        (Pair(said("unlink"), JANE, JOHN), "contact_id:7 and email:j@acme.nl are two contacts"),
        (Pair(said(), JANE, Group()), "nothing is known of email:j@acme.nl yet; what was said is kept"),
        (Pair(said("link", "account_id:9", "domain:acme.nl"), FIRM, FIRM), "are one account"),
        (Pair(said("link", *DEVICE), JANE, JANE), f"contact of email:j@acme.nl, as of {AT}\n  c1 (Jane): "),
        (Pair(said("link", *DEVICE), JOHN, JANE), f"is of another contact still, as of {AT}\n  c2: "),
        (Pair(said("unlink", *DEVICE), JANE, JANE), f"the contact of email:j@acme.nl still, as of {AT}"),
        (Pair(said("unlink", *DEVICE), Group(), JANE), f"anonymous_id:c1 is nobody's, as of {AT}"),
    ],
)  # fmt: skip
def test_statements_in_words(pair: Pair, words: str) -> None:
    assert words in "\n".join(pair_in_words(pair))


def test_a_large_contact_is_cut_short() -> None:
    assert str(Group("c1", "", tuple(f"user_id:{n}" for n in range(23)))).endswith("user_id:19 and 3 more")


def test_requests_in_words() -> None:
    asked = Request("default", "1", "erase", ["user_id:1", "email:x@acme.nl"], 0)
    told = list(request_in_words(asked, Person(), Answer("not_found", {}, ()), 0))
    assert told[0] == "nothing is known of user_id:1, email:x@acme.nl"
