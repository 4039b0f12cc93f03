"""The work of the stage benchmark, the same for every variant: validate, state per key, one output an event.

Events are decoded into typed structs by msgspec, in all variants (pydantic's `validate_json` takes about
twice as long). The state of a key is one row; it goes to the changelog as it stands after a batch.
"""

import json
import random
import sys
from collections.abc import Iterator
from time import monotonic, process_time
from zlib import crc32

import msgspec

PARTITIONS = 4
KEYS = 5_000
RECENT = 8  # event ids that a state remembers


class Campaign(msgspec.Struct):
    id: str
    name: str
    medium: str


class Page(msgspec.Struct):
    url: str
    referrer: str


class Props(msgspec.Struct):
    duration_ms: int
    scroll: int
    device: str


class Event(msgspec.Struct):
    """An input event of about 400 bytes."""

    event_id: str
    account_id: str
    contact_id: str
    type: str
    channel: str
    ts: int
    value: float
    campaign: Campaign
    page: Page
    props: Props


class State(msgspec.Struct, gc=False):
    """The row of a key."""

    n: int = 0
    score: float = 0.0
    last: int = 0
    by: dict[str, int] = {}
    recent: list[str] = []


class Said(msgspec.Struct, gc=False):
    """The output of an event."""

    id: str
    account: str
    type: str
    n: int
    score: float
    ts: int


validate = msgspec.json.Decoder(Event).decode
encode = msgspec.json.Encoder().encode
decode_state = msgspec.json.Decoder(State).decode


def advance(state: State, value: bytes) -> bytes:
    """Take an event into the state (in place); returns its output."""
    event = validate(value)
    state.n += 1
    state.score += event.value
    state.last = event.ts
    state.by[event.type] = state.by.get(event.type, 0) + 1
    state.recent.append(event.event_id)
    if len(state.recent) > RECENT:
        del state.recent[0]
    return encode(Said(f"{event.event_id}:1", event.account_id, event.type, state.n, state.score, event.ts))


def events(count: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Partition, key and value of `count` events, always the same ones."""
    dice = random.Random(7)
    types = ("web_visit", "email_open", "form_submit", "ad_click", "demo_request", "content_download")
    channels = ("organic", "paid_search", "social", "email", "direct", "referral")
    for number in range(count):
        hot = dice.random() < 0.3
        key = (int(dice.paretovariate(0.6)) if hot else dice.randrange(KEYS)) % KEYS
        account = f"acc-{key:06d}"
        campaign = dice.randrange(200)
        value = {
            "event_id": f"{number:08x}-{dice.getrandbits(48):012x}",
            "account_id": account,
            "contact_id": f"con-{dice.randrange(4 * KEYS):07d}",
            "type": types[dice.randrange(6)],
            "channel": channels[dice.randrange(6)],
            "ts": 1_700_000_000_000 + 37 * number,
            "value": round(dice.random() * 100, 2),
            "campaign": {"id": f"cmp-{campaign}", "name": f"Campaign {campaign} Q3 launch", "medium": "cpc"},
            "page": {
                "url": f"https://www.example.com/products/{dice.randrange(500)}?utm=1",
                "referrer": "https://search.example.org/",
            },
            "props": {
                "duration_ms": dice.randrange(60_000),
                "scroll": dice.randrange(100),
                "device": "desktop",
            },
        }
        yield crc32(account.encode()) % PARTITIONS, account.encode(), json.dumps(value).encode()


class Stopwatch:
    """From the first record to the last acknowledgement."""

    def __init__(self, events: int) -> None:
        self.events = events
        self._begun: tuple[float, float] | None = None

    def first(self) -> None:
        """The first record is there (later calls change nothing)."""
        if self._begun is None:
            self._begun = monotonic(), process_time()

    def last(self) -> None:
        """All is acknowledged: print the result."""
        assert self._begun is not None
        seconds, cpu = monotonic() - self._begun[0], process_time() - self._begun[1]
        print(json.dumps({"events": self.events, "seconds": seconds, "cpu": cpu}))
        sys.stdout.flush()
