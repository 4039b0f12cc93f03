"""Whatever arrives, INGEST gives exactly one touch or one dead letter for each record, and never raises."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.assertion import KINDS
from schemas.command import NEEDS
from schemas.deadletter import REASONS
from schemas.identifiers import email, firm_domain, identify, mail_domain
from schemas.internal import (
    ACCOUNT_KINDS,
    STRONG_KINDS,
    WEAK_KINDS,
    Asserted,
    Command,
    Outcome,
    Owner,
    Request,
    Tick,
    Told,
    Touch,
)
from schemas.keys import hasher
from schemas.topics import DEAD, INPUTS, LINKS, TOUCHPOINTS, VALID
from schemas.touchpoint import TYPES
from streams.core import Output, Record, Rows, StepConfig
from streams.ingest.step import Ingest

NOW = 1_750_000_000_000
KEY_OF = hasher("s")
_said = msgspec.msgpack.Decoder(Asserted | Request | Outcome | Command).decode
_decode = msgspec.msgpack.Decoder(Touch | Owner | Told | Tick).decode

numbers = st.integers() | st.floats(width=64) | st.just(10**400)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
# fmt: off
some_text = st.sampled_from([
    "", " ", "null", "jane@acme.nl", "info@acme.nl", "Jane <jane@gmail.com>", "a@b", "0612345678",
    "www.acme.nl", "NL8123.45.678.B01", "\u0000", "\u202e", "é" * 129, "x" * 300, "2025-02-03", "12.50",
]) | st.text(max_size=20)
# fmt: on
scalars = some_text | st.none() | st.booleans() | numbers


def objects(*names: str, of: st.SearchStrategy[Any] = scalars) -> st.SearchStrategy[dict[str, Any]]:
    known = dict.fromkeys(names, of)
    unknown = st.dictionaries(st.text(max_size=6), of, max_size=1)
    return st.builds(lambda a, b: {**b, **a}, st.fixed_dictionaries({}, optional=known), unknown)


lines = st.lists(objects("sku", "product_family", "brand", "quantity", "value"), max_size=3)
valid = {
    "event_id": st.text(min_size=1, max_size=20),
    "type": st.sampled_from([*TYPES, "wheel_spun"]),
    "occurred_at": st.sampled_from(["2025-02-03T08:12:04Z", "2025-02-03T08:12:04.5+02:00"]),
    "source": st.sampled_from(["web", "crm", "erp", "steward"]),
}
inner = {
    "tenant": some_text,
    "channel": some_text,
    "actor": st.sampled_from(["person", "machine", "us"]),
    "identifiers": objects(*STRONG_KINDS, *WEAK_KINDS),
    "account": objects(*ACCOUNT_KINDS, "name"),
    "contact": objects("name", of=values),
    "organisation": objects("employees", of=values),
    "content": objects("url", "title", "topic", "search_terms", "content_id"),
    "commerce": st.builds(
        lambda order, lines: {**order, "lines": lines}, objects("order_id", "value", "currency"), lines
    ),
    "campaign": objects("campaign_id", "name"),
    "consent": objects("email", "marketing", of=st.booleans() | st.none()),
}
events = st.fixed_dictionaries(valid, optional=inner)


def dump(value: Any) -> bytes:
    return json.dumps(value).encode()  # NaN and Infinity come out as such


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid event with one field replaced, or some bytes changed."""
    event = draw(events)
    if draw(st.booleans()):
        event[draw(st.sampled_from([*valid, *inner]))] = draw(values)
    text = bytearray(dump(event))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(text) - 1))
        text[place : place + draw(st.integers(0, 2))] = draw(st.binary(max_size=3))
    return bytes(text)


named = st.sampled_from(KINDS).flatmap(
    lambda kind: st.fixed_dictionaries({kind: st.sampled_from(["Jane@Acme.nl", "0612345678", 7]) | some_text})
)
people = st.builds(lambda text: {"user_id": text}, some_text) | st.just({"email": "Jane@Acme.nl"})
told = st.fixed_dictionaries(
    {
        **{name: valid[name] for name in ("event_id", "occurred_at")},
        "assertion": st.sampled_from(["link", "unlink", "cannot_link", "alias", "parent"]),
        "request": st.sampled_from(["erase", "export"]),
        "outcome": st.sampled_from(["accepted", "won", "lost"]),
        "command": st.sampled_from([*NEEDS]),
        **dict.fromkeys(("a", "b", "identifiers", "account"), people | named | objects(*KINDS) | values),
    },
    optional={
        **dict.fromkeys(("tenant", "reason", "currency", "owner", "scheme", "segment"), some_text),
        "by": scalars,
        "handoff_id": st.just("a0123456789abcde.1.1") | some_text,
        "role": st.sampled_from(["user", "buyer"]),
        "value": scalars,
    },
)
bodies = st.none() | st.binary(max_size=200) | values.map(dump) | events.map(dump) | mutated()
headers = st.lists(
    st.tuples(
        st.sampled_from(["journeys-tenant", "journeys-source", "journeys-size", "journeys-sha256", "x"]),
        st.binary(max_size=8),
    ),
    max_size=3,
)
records = st.builds(
    lambda body, time, pairs: Record(TOUCHPOINTS.name, 0, 0, time, None, body, tuple(pairs)),
    bodies,
    st.sampled_from([NOW, -1, 0]),
    headers,
)


def apply(batch: list[Record], **settings: Any) -> list[Output]:
    return Ingest(StepConfig(0, 4, 0, KEY_OF, live=False, settings=settings)).apply(Rows(), batch, b"", NOW)


@settings(max_examples=400, deadline=None)
@given(records, st.booleans())
def test_every_record_gives_exactly_one_touch_or_one_dead_letter(record: Record, trust: bool) -> None:
    outputs = apply([record], trust_headers=trust)
    letters = [output for output in outputs if output.topic == DEAD.name]
    messages = [_decode(output.value or b"") for output in outputs if output.topic != DEAD.name]
    touches = [message for message in messages if isinstance(message, Touch)]
    assert len(letters) + len(touches) == 1
    for letter in letters:
        assert len(outputs) == 1
        told = dict(letter.headers)
        assert told["reason"].decode() in REASONS
        assert told["error"]
        assert letter.value == (record.value or b"")[:65_536]
    for touch in touches:
        check(touch)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([topic.name for topic in INPUTS if topic != TOUCHPOINTS]),
    told.map(dump) | bodies,
    headers,
    st.booleans(),
)
def test_every_message_on_another_input_is_one_or_a_dead_letter(
    topic: str, body: bytes | None, pairs: list[tuple[str, bytes]], trust: bool
) -> None:
    record = Record(topic, 0, 0, NOW, None, body, tuple(pairs))
    outputs = apply([record], trust_headers=trust, namespaces={"crm": "nl"}, countries={"": "BE"})
    if outputs[0].topic == DEAD.name:
        [letter] = outputs
        assert dict(letter.headers)["reason"].decode() in REASONS
        assert letter.value == (body or b"")[:65_536]
        return
    made = _said(outputs[0].value or b"")
    to, named = {
        Asserted: lambda said: ([LINKS.name, VALID.name], [said.a, said.b]),
        Request: lambda said: ([LINKS.name], said.identifiers),
        Outcome: lambda said: ([VALID.name], said.account),
        Command: lambda said: ([VALID.name], [*said.account, *said.identifiers]),
    }[type(made)](made)
    assert [output.topic for output in outputs] == to
    assert named
    assert len(set(named)) == len(named)
    for identifier in named:
        kind, _, value = identifier.partition(":")
        assert identify(kind, value, "BE").identifier == identifier


def check(touch: Touch) -> None:
    keys = [*touch.strong, *touch.weak, touch.account]
    assert touch.identifier == next((key for key in keys if key), "")
    assert [key.partition(":")[0] for key in touch.strong] == [
        kind for kind in STRONG_KINDS if any(key.startswith(f"{kind}:") for key in touch.strong)
    ]
    assert touch.type in TYPES
    assert touch.tenant
    assert touch.source
    assert 0 <= touch.digest < 2**63


short = st.text(max_size=20) | st.integers(-(2**63), 2**63) | st.none()
amounts = st.integers(-(10**14), 10**14) | st.floats(-1e14, 1e14) | st.none()
well_formed = st.fixed_dictionaries(
    {
        **valid,
        "event_id": st.text(min_size=1, max_size=20).filter(str.strip),
        "identifiers": st.fixed_dictionaries({"email": short}, optional={"phone": short, "user_id": short}),
    },
    optional={
        "account": objects("domain", "name", of=short),
        "contact": st.dictionaries(st.text(max_size=6), short, max_size=5),
        "commerce": objects("value", of=amounts),
        "consent": objects("marketing", of=st.booleans() | st.none()),
    },
)


@settings(max_examples=100, deadline=None)
@given(well_formed)
def test_a_well_formed_event_is_accepted_whatever_its_values(event: dict[str, Any]) -> None:
    assert DEAD.name not in {
        output.topic for output in apply([Record(TOUCHPOINTS.name, 0, 0, NOW, None, dump(event))])
    }


@settings(max_examples=100, deadline=None)
@given(st.lists(records, max_size=6))
def test_the_cut_of_the_batch_changes_nothing(batch: list[Record]) -> None:
    assert apply(batch) == [output for record in batch for output in apply([record])]


@settings(max_examples=100, deadline=None)
@given(events, st.randoms(use_true_random=False))
def test_key_order_and_whitespace_change_nothing(event: dict[str, Any], random: Any) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, list):
            return [shuffled(part) for part in value]
        if not isinstance(value, dict):
            return value
        names = list(value)
        random.shuffle(names)
        return {name: shuffled(value[name]) for name in names}

    def digests(text: bytes) -> list[int]:
        messages = apply([Record(TOUCHPOINTS.name, 0, 0, NOW, None, text)])
        sent = [_decode(output.value or b"") for output in messages if output.topic != DEAD.name]
        return [message.digest for message in sent if isinstance(message, Touch)]

    other = json.dumps(shuffled(event), indent=2, ensure_ascii=False).encode("utf-8", "surrogatepass")
    assert digests(other) == digests(dump(event))


@given(some_text)
def test_normalising_twice_changes_nothing(text: str) -> None:
    for normal in (email, firm_domain, mail_domain):
        once = normal(text)
        assert once is None or normal(once) == once
    for kind in (*STRONG_KINDS, *WEAK_KINDS, *ACCOUNT_KINDS):
        identifier, _ = identify(kind, text)
        assert not identifier or identify(kind, identifier.partition(":")[2]).identifier == identifier
