"""`journeys link`, `unlink`, `cannot-link`, `forget`: a message on an input topic, and what came of it."""

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import click
from clickhouse_connect.driver.client import Client

from schemas.times import rfc3339
from streams.console import Failure, clickhouse, configured, data_dir_option, explained, settings_for
from streams.settings import Settings

SECONDS = 30.0  # how long to wait until a configured stack has heard
PATIENCE = 5.0  # and then, until it is as it was said: it may never be
POLL_SECONDS = 0.25
_NO_LATER = 0  # ms; a clock never goes back

ISSUED = re.compile(r"([ac])[0-9a-f]{15}\Z")
_ISSUED_KIND = {"c": "journeys_contact_id", "a": "journeys_account_id"}

Found = TypeVar("Found")


def named(text: str) -> dict[str, str]:
    """What an argument names, as messages name it.

    >>> named("contact_id:7"), named("jane@acme.nl"), named("c0123456789abcde")
    ({'contact_id': '7'}, {'email': 'jane@acme.nl'}, {'journeys_contact_id': 'c0123456789abcde'})
    """
    if issued := ISSUED.match(text):
        return {_ISSUED_KIND[issued[1]]: text}
    kind, colon, value = text.partition(":")
    if colon and re.fullmatch(r"[a-z_]+", kind) and kind != "mailto":
        return {kind: value}
    if "@" in text:
        return {"email": text}
    raise click.UsageError(
        f"{text!r} names nothing: write kind:value (contact_id:7), an e-mail address, or an id of ours"
    )


def statement(assertion: str, a: str, b: str, by: str, tenant: str, at: str) -> dict[str, Any]:
    """The message that `a` and `b` are, or are not, the same."""
    return {
        "event_id": str(uuid4()),
        "occurred_at": at,
        "tenant": tenant,
        "assertion": assertion,
        "a": named(a),
        "b": named(b),
        "by": by,
    }


def erasure(names: Iterable[str], tenant: str, at: str) -> dict[str, Any]:
    """The message that asks to erase a person."""
    identifiers: dict[str, list[str]] = {}
    for name in names:
        for kind, value in named(name).items():
            identifiers.setdefault(kind, []).append(value)
    return {
        "event_id": str(uuid4()),
        "occurred_at": at,
        "tenant": tenant,
        "request": "erase",
        "identifiers": identifiers,
    }


def read(topic: str, message: Mapping[str, Any], settings: Settings) -> Any:
    """What INGEST makes of a message; what it would refuse is bad usage."""
    import msgspec

    from schemas.internal import Asserted, Outcome, Request
    from schemas.keys import hasher
    from schemas.topics import DEAD
    from streams.core import Record, Rows, StepConfig
    from streams.ingest.step import Ingest

    step = Ingest(StepConfig(0, 1, 0, hasher(settings.hash_key), live=False, settings=settings.of_steps))
    now = int(time.time() * 1000)
    record = Record(topic, 0, 0, now, None, json.dumps(message).encode())
    first = step.apply(Rows(), [record], b"", now)[0]
    if first.topic == DEAD.name:
        raise click.UsageError(dict(first.headers)["error"].decode())
    return msgspec.msgpack.decode(first.value or b"", type=Asserted | Request | Outcome)


class Stack:
    """Where messages go and questions are asked: the configured stack, or the embedded one."""

    def __init__(
        self, settings: Settings, data_dir: Path | None, asking: Callable[[Client], Any] | None = None
    ) -> None:
        """`asking` makes of a client what questions are put to; default: that of `streams.whereabouts`."""
        self._settings = settings
        self._data_dir = data_dir
        self._asking = asking
        self.embedded = not configured(settings, data_dir, "broker")

    def send(self, topic: str, message: Mapping[str, Any]) -> None:
        """Send it; embedded, also until nothing is left to do."""
        if self.embedded:
            from streams.progress import shown
            from streams.summary import run_lines

            line = json.dumps({"topic": topic, "message": message}).encode()
            with shown() as tell:  # the clock stays: a correction of old data makes no journey end
                run_lines([line], self._settings.data_dir, self._settings, _NO_LATER, tell)
            return
        from kafka import KafkaProducer
        from kafka.errors import KafkaError

        try:
            producer = KafkaProducer(bootstrap_servers=self._settings.broker.split(","))
            try:
                producer.send(topic, value=json.dumps(message).encode()).get(timeout=SECONDS)
            finally:
                producer.close()
        except KafkaError as error:
            raise Failure(f"Kafka at {self._settings.broker}: {error}") from None

    def ask(self, question: Callable[[Any], Found]) -> Found:
        """What a question to ClickHouse finds."""
        from streams.clickhouse import connect
        from streams.whereabouts import Asking

        with clickhouse(self._settings, self._data_dir) as dsn, connect(dsn) as client:
            return question((self._asking or Asking)(client))

    def holds_data(self) -> bool:
        """Whether there is anything to ask."""
        return not self.embedded or (self._settings.data_dir / "clickhouse").is_dir()

    def heard(self, question: Callable[[Any], Found]) -> Found:
        """What a question finds as soon as it finds something; Failure if it does not."""
        found = self.until(question, bool, SECONDS)
        if not found:
            why = "`journeys status` shows what is behind, `journeys dead-letters list` what was refused"
            raise Failure(f"sent, but ClickHouse does not show it yet: {why}")
        return found

    def until(
        self, question: Callable[[Any], Found], is_enough: Callable[[Found], bool], seconds: float
    ) -> Found:
        """What a question finds in the end: asked until it is enough, for so many seconds; embedded, once."""
        deadline = time.monotonic() + (0 if self.embedded else seconds)

        def asked(asking: Any) -> Found:
            while not is_enough(found := question(asking)) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
            return found

        return self.ask(asked)


def say(message: dict[str, Any], settings: Settings, data_dir: Path | None) -> Iterator[str]:
    """Send a statement; what came of it, in words."""
    from schemas.topics import ASSERTIONS
    from streams.whereabouts import pair_in_words, unseen_in_words

    said = read(ASSERTIONS.name, message, settings)
    stack = Stack(settings, data_dir)
    # Before it is said: what is named is known from then on.
    known = stack.ask(lambda asking: asking.tenants((said.a, said.b))) if stack.holds_data() else {}
    stack.send(ASSERTIONS.name, message)
    stack.heard(lambda asking: asking.has_heard(said))
    yield from pair_in_words(
        stack.until(lambda asking: asking.pair(said), lambda pair: bool(pair.as_said), PATIENCE)
    )
    yield from unseen_in_words(said, known)


def forget_person(message: dict[str, Any], settings: Settings, data_dir: Path | None) -> Iterator[str]:
    """Send a request to be erased; what was done, in words."""
    from schemas.topics import PRIVACY
    from streams.whereabouts import Person, elsewhere_in_words, request_in_words

    request = read(PRIVACY.name, message, settings)
    stack = Stack(settings, data_dir)
    before = stack.ask(lambda asking: asking.person(request)) if stack.holds_data() else Person()
    stack.send(PRIVACY.name, message)
    answer = stack.heard(lambda asking: asking.answer(request))
    contacts = [group.id for group in before.contacts]
    left = stack.until(lambda asking: asking.touches(request, contacts), lambda left: not left, SECONDS)
    yield from request_in_words(request, before, answer, left)
    if answer.result == "not_found":
        known = stack.ask(lambda asking: asking.tenants(request.identifiers))
        yield from dict(elsewhere_in_words(request.tenant, request.identifiers, known)).values()
    if left and answer.result == "done":
        raise Failure(f"{left:,} touchpoints are not removed yet: `journeys status` shows what is behind")


_tenant = click.option("--tenant", default="default", show_default=True, help="Whose data it is.")


def _about(assertion: str, help_: str) -> click.Command:
    @click.command(assertion.replace("_", "-"), help=help_)
    @click.argument("a")
    @click.argument("b")
    @click.option("--by", default="steward", show_default=True, help="Who says so.")
    @click.option("--at", metavar="TIME", help="Since when (RFC 3339 with an offset; default: now).")
    @_tenant
    @data_dir_option
    def command(a: str, b: str, by: str, at: str | None, tenant: str, data_dir: Path | None) -> None:
        settings = settings_for(data_dir)
        message = statement(assertion, a, b, by, tenant, at or rfc3339(int(time.time() * 1000)))
        with explained():
            for line in say(message, settings, data_dir):
                click.echo(line)

    return command


_NAMES = (
    "A and B: kind:value (contact_id:7, domain:acme.nl), an e-mail address, or an id of ours. Two people, a "
    "device and a person, or two accounts. The latest statement about a pair stands."
)


@click.command()
@click.argument("identifiers", nargs=-1, required=True)
@_tenant
@data_dir_option
def forget(identifiers: tuple[str, ...], tenant: str, data_dir: Path | None) -> None:
    """Erase the person whom IDENTIFIERS name, with all that is linked, up to now; prints what was done.

    An identifier is kind:value (phone:06-12345678), an e-mail address, or a contact id of ours.
    """
    settings = settings_for(data_dir)
    message = erasure(identifiers, tenant, rfc3339(int(time.time() * 1000)))
    with explained():
        for line in forget_person(message, settings, data_dir):
            click.echo(line)


COMMANDS = (
    _about("link", f"Say that A and B are the same; prints what came of it.\n\n{_NAMES}"),
    _about("unlink", f"Say that A and B are not the same, whatever systems say of this pair.\n\n{_NAMES}"),
    _about("cannot_link", f"Say that A and B are never the same, by no other path either.\n\n{_NAMES}"),
    forget,
)
