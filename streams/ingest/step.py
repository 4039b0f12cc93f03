"""INGEST: validates what comes from outside and re-keys it. One record in: what it says, or one dead letter.

A touch carries along what its weak identifiers and its account are to be told (`Owner`, `Told`). The step
keeps nothing but when it last told the time.
"""

import math
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import Any, Final

import msgspec
from typing_extensions import override

from schemas import assertion, command, outcome, privacy, touchpoint
from schemas.internal import PERSON, Command, Outcome, Owner, Tick, Told, Touch
from schemas.keys import partition_of
from schemas.message import DEFAULT_TENANT, ID_BYTES, RefusedError, show
from schemas.topics import ASSERTIONS, CLOCK, COMMANDS, INPUTS, LINKS, OUTCOMES, PRIVACY, VALID
from streams import definition
from streams.core import Group, Member, Output, Record, Rows, Step, StepConfig, Version
from streams.ingest import said as heard
from streams.ingest.topics import Topics
from streams.ingest.touch import keys, touch
from streams.ingest.values import AHEAD_MS, Habits, Spelling, label, moment, required
from streams.session import dead_letter

# Headers of input records.
TENANT_HEADER: Final = "journeys-tenant"
SOURCE_HEADER: Final = "journeys-source"
SIZE_HEADER: Final = "journeys-size"  # with the next one: the feeder cut this record, which was too large
SHA256_HEADER: Final = "journeys-sha256"

Headers = dict[str, bytes]

_encode: Final = msgspec.msgpack.Encoder().encode
_canonical: Final = msgspec.msgpack.Encoder(order="sorted").encode
# The exponent of a double that is infinite, as MessagePack has it: 7ff or fff and zeros.
_INFINITE: Final = b"\xf0\x00\x00\x00\x00\x00\x00"
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1  # MessagePack's


class Clock(msgspec.Struct):
    """A message on `journeys.clock`: it is `at`; `drain` is not 0 when the input is at its end."""

    at: int
    drain: int


_clock: Final = msgspec.json.Decoder(Clock).decode
_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_INPUTS: Final = tuple(topic.name for topic in INPUTS)


class Ingest(Step):
    """The first step; stateless, so its rows stay empty.

    Settings: `trust_headers` (default false): the headers name tenant and source, and a body that names
    others is refused; those of `Habits`; `definition`, whose topics touches get that came without one.
    """

    name = "ingest"
    inputs = (*_INPUTS, CLOCK.name)
    stateful = False

    def __init__(self, config: StepConfig) -> None:
        self._config = config
        self._key_of = config.key_of
        self._trust_headers = bool(config.settings.get("trust_headers", False))
        self._habits = Habits.of(config.settings)
        self._topics = Topics(definition.of(config.settings).topics)
        self._ticked_at = 0  # wall time of the last tick
        self._told = 0  # the time that it told

    @override
    def recovered(self, rows: Rows) -> None:
        """Nothing is kept."""

    @override
    def outputs(self, rows: Rows, group: Group, member: Member, version: Version) -> list[Output]:
        """Nothing is owed: a batch that was not acknowledged is read again."""
        return []

    @override
    def apply(self, rows: Rows, records: Sequence[Record], version: Version, now: int) -> list[Output]:
        """Validate a batch; never raises because of a message from outside."""
        out: list[Output] = []
        for record in records:
            if record.topic == CLOCK.name:
                clock = _clock(record.value or b"")
                self._tick(out, clock.at, clock.drain)
                continue
            try:
                out += self._accept(record, now)
            except RefusedError as refusal:
                out.append(self._refuse(record, refusal))
        if self._config.live and now - self._ticked_at >= self._config.tick_ms:
            at = min(now, records[-1].timestamp) if records else now
            if at > self._told:
                self._tick(out, at, 0)
                self._ticked_at, self._told = now, at
        return out

    def _accept(self, record: Record, now: int) -> list[Output]:
        headers = dict(record.headers) if record.headers else {}
        if SIZE_HEADER in headers and SHA256_HEADER in headers:
            size = headers[SIZE_HEADER].decode("utf-8", "replace")
            raise RefusedError("too_large", "", f"the event had {size} bytes; its beginning is kept")
        value = record.value or b""
        latest = (record.timestamp if record.timestamp >= 0 else now) + AHEAD_MS  # -1: the broker knows none
        if record.topic == ASSERTIONS.name:
            return self._asserted(assertion.parse(value), headers, latest)
        if record.topic == PRIVACY.name:
            return self._requested(privacy.parse(value), headers, latest)
        if record.topic == OUTCOMES.name:
            result = outcome.parse(value)
            return [self._decided(heard.outcome(result, *self._said(result, headers, latest)))]
        if record.topic == COMMANDS.name:
            order = command.parse(value)
            return [self._decided(heard.command(order, *self._said(order, headers, latest)))]
        try:
            event = touchpoint.parse(value)
        except RefusedError:
            _check_topic(value)
            raise
        return self._touched(event, headers, latest)

    def _touched(self, event: touchpoint.Touchpoint, headers: Headers, latest: int) -> list[Output]:
        tenant = self._tenant(event.get("tenant"), headers)
        source = required(event["source"], "source")
        if self._trust_headers:
            source = _trusted(headers.get(SOURCE_HEADER), source, "source")
        at = moment(event["occurred_at"], latest, self._habits.zone(source))
        required(event["event_id"], "event_id")
        found = keys(event, self._habits.spelling(tenant, source))
        made = touch(event, found, tenant, source, at)
        made.digest = _digest(made)  # of what came: with other rules for topics it is still the same event
        content = made.content
        if content and "topic" not in content and (topic := self._topics.of(content)):
            content["topic"] = topic
        about = (made.identifier,) if made.identifier else ("event", source, made.event_id)
        out = [self._output(VALID.name, made, tenant, *about)]
        if made.strong and made.weak and made.actor == PERSON:
            owners = [Owner(tenant, weak, made.strong[0], at) for weak in made.weak]
            out += [self._output(VALID.name, owner, tenant, owner.weak) for owner in owners]
        if made.account:
            # What no person did asserts nothing: its keys are not linked.
            named = found.account if made.actor == PERSON and found.account else [made.account]
            told = Told(tenant, made.account, named, source, made.rank, at, made.organisation, found.address)
            out.append(self._output(VALID.name, told, tenant, made.account))
        return out

    def _asserted(self, said: assertion.Assertion, headers: Headers, latest: int) -> list[Output]:
        made = heard.asserted(said, *self._said(said, headers, latest))
        return [
            self._output(LINKS.name, made, made.tenant),
            self._output(VALID.name, made, made.tenant, "assertion", made.event_id),  # for the views
        ]

    def _requested(self, said: privacy.PrivacyRequest, headers: Headers, latest: int) -> list[Output]:
        made = heard.request(said, *self._said(said, headers, latest))
        return [self._output(LINKS.name, made, made.tenant)]

    def _decided(self, made: Outcome | Command) -> Output:
        return self._output(VALID.name, made, made.tenant, made.account[0])

    def _said(self, said: Mapping[str, Any], headers: Headers, latest: int) -> tuple[str, Spelling, int]:
        """Of what is no touch: tenant, spelling of identifiers (as we show them), time."""
        tenant = self._tenant(said.get("tenant"), headers)
        return tenant, self._habits.spelling(tenant), moment(said["occurred_at"], latest)

    def _tenant(self, told: str | None, headers: Headers) -> str:
        """The tenant, from its header where that is trusted, else from the body."""
        tenant = label(told, "tenant", ID_BYTES)
        if self._trust_headers:
            tenant = _trusted(headers.get(TENANT_HEADER), tenant, "tenant")
        return tenant or DEFAULT_TENANT

    def _output(self, topic: str, message: msgspec.Struct, *about: str) -> Output:
        """The message, keyed by whom it is about."""
        key = self._key_of(*about)
        return Output(topic, partition_of(key, self._config.partitions), key, _encode(message))

    def _refuse(self, record: Record, refusal: RefusedError) -> Output:
        letter = dead_letter(record, refusal.reason, refusal.field, refusal.error, self._config.generation)
        cut = {"size": SIZE_HEADER, "sha256": SHA256_HEADER}
        given = dict(record.headers)
        if self._trust_headers and (tenant := given.get(TENANT_HEADER)):  # whose it is; the body may not tell
            letter = letter._replace(headers=(*letter.headers, ("tenant", tenant)))
        if not all(name in given for name in cut.values()):
            return letter
        own = tuple(header for header in letter.headers if header[0] not in cut)
        return letter._replace(headers=own + tuple((name, given[cut[name]]) for name in cut))

    def _tick(self, out: list[Output], at: int, drain: int) -> None:
        value = _encode(Tick(self._config.partition, at, drain))
        out += [Output(VALID.name, partition, None, value) for partition in range(self._config.partitions)]


def _trusted(header: bytes | None, said: str, name: str) -> str:
    """The header's value, where there is one; the body must not say otherwise."""
    if header is None:
        return said
    value = required(header.decode("utf-8", "replace"), name)
    if said and said != value:
        raise RefusedError("tenant_mismatch", name, f"the event says {said!r}, its header {value!r}")
    return value


def _check_topic(value: bytes) -> None:
    """Of a line for a topic that is no input the topic is to blame, not what a touchpoint would need."""
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        line = _object(value.removeprefix(BOM_UTF8))
        if (
            line.keys() == {"topic", "message"}
            and (topic := msgspec.json.decode(line["topic"])) not in _INPUTS
        ):
            known = ", ".join(_INPUTS)
            raise RefusedError("wrong_type", "topic", f"{show(topic)} is no input topic; send one of {known}")


def _digest(made: Touch) -> int:
    """A hash of what the event says, however it is written; RefusedError where a number cannot be kept."""
    try:
        content = _canonical(made)
    except OverflowError:
        _check_numbers(made)
        raise
    if _INFINITE in content:
        _check_numbers(made)
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big") >> 1


def _check_numbers(made: Touch) -> None:
    free = (("contact", made.contact), ("organisation", made.organisation), ("", made.extra))
    for name, values in free:
        if (path := _too_large(values)) is not None:
            where = f"{name}{path}".removeprefix(".")
            raise RefusedError("wrong_type", where, "the number needs more than 64 bits; send it as text")


def _too_large(value: Any) -> str | None:
    """The path of a number inside `value` that does not fit into 64 bits, else None."""
    if isinstance(value, int):
        return None if _INT_MIN <= value <= _INT_MAX else ""
    if isinstance(value, float):
        return None if math.isfinite(value) else ""
    inner: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict):
        inner = ((f".{key}", part) for key, part in value.items())
    elif isinstance(value, list):
        inner = ((f"[{n}]", part) for n, part in enumerate(value))
    for step, part in inner:
        if (path := _too_large(part)) is not None:
            return step + path
    return None
