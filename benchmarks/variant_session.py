"""The stage on this product's transport, session and runner: `python -m benchmarks.variant_session …`."""

import asyncio
import gc
import os
import sys
from collections.abc import Sequence

import faust
import uvloop

from benchmarks.work import PARTITIONS, State, Stopwatch, advance, decode_state, encode
from streams.core import Group, Member, Output, Record, Rows, StepConfig, Version
from streams.host import make_app
from streams.processor import Processor
from streams.settings import Settings
from streams.worker import GC_THRESHOLD

BROKER, INPUT, OUTPUT, GROUP = sys.argv[1:5]
WATCH = Stopwatch(int(sys.argv[5]))
LOOK_SECONDS = 0.005


class Stage:
    """One row per key."""

    name = "stage"
    inputs: tuple[str, ...] = (INPUT,)
    stateful = True

    def __init__(self, config: StepConfig) -> None:
        self._key_of = config.key_of

    def recovered(self, rows: Rows) -> None:
        """Nothing is kept beside the rows."""

    def apply(self, rows: Rows, records: Sequence[Record], version: Version, now: int) -> list[Output]:
        del version, now
        states: dict[bytes, State] = {}
        outputs: list[Output] = []
        for record in records:
            WATCH.first()
            key = record.key or b""
            state = states.get(key)
            if state is None:
                kept = rows.get(self._key_of(key.decode()))
                state = states[key] = decode_state(kept) if kept is not None else State(by={}, recent=[])
            outputs.append(Output(OUTPUT, record.partition, key, advance(state, record.value or b"")))
        for key, state in states.items():
            rows.put(self._key_of(key.decode()), b"", encode(state))
        return outputs

    def outputs(self, rows: Rows, group: Group, member: Member, version: Version) -> list[Output]:
        raise NotImplementedError  # the benchmark does not crash


async def until_done(processor: Processor) -> None:
    """End the process once everything is acknowledged."""
    loop = asyncio.get_running_loop()
    if sum(sum(lease.acked.values()) for lease in processor.consumer.distinct_leases) < WATCH.events:
        loop.call_later(LOOK_SECONDS, lambda: loop.create_task(until_done(processor)))
        return
    WATCH.last()
    os._exit(0)


def main() -> None:
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    settings = Settings(broker=BROKER, group=GROUP, partitions=PARTITIONS)
    processor = Processor(settings, make_app(settings, GROUP, web=False))
    processor.add(Stage)
    processor.app.task(lambda: until_done(processor))
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 10, 10)
    faust.Worker(
        processor.app, loglevel="INFO", redirect_stdouts=False, quiet=True
    ).execute_from_commandline()


if __name__ == "__main__":
    main()
