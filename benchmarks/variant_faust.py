"""The stage as Faust's documentation has it: one event, one table update, one awaited send, in turn."""

import os
import sys
import tempfile
from typing import Any

import faust
from mode.loop import use

from benchmarks.work import PARTITIONS, State, Stopwatch, advance, decode_state, encode

BROKER, INPUT, OUTPUT, GROUP = sys.argv[1:5]
WATCH = Stopwatch(int(sys.argv[5]))
RAW: dict[str, Any] = {
    "key_type": bytes,
    "value_type": bytes,
    "key_serializer": "raw",
    "value_serializer": "raw",
}


def make() -> faust.App:
    app = faust.App(
        GROUP,
        broker=f"kafka://{BROKER}",
        store="memory://",
        topic_partitions=PARTITIONS,
        topic_replication_factor=1,
        stream_wait_empty=False,
        consumer_auto_offset_reset="earliest",
        broker_check_crcs=False,
        broker_session_timeout=10,
        broker_rebalance_timeout=3,
        broker_request_timeout=40,
        web_enabled=False,
        datadir=tempfile.mkdtemp(prefix="journeys-bench-faust-"),
    )
    states = app.Table("stage", partitions=PARTITIONS, key_type=bytes, value_type=bytes)
    output = app.topic(OUTPUT, partitions=PARTITIONS, **RAW)
    done = 0

    async def stage(stream: Any) -> None:
        nonlocal done
        async for event in stream.events():
            WATCH.first()
            kept = states.get(event.key)
            state = decode_state(kept) if kept is not None else State(by={}, recent=[])
            told = advance(state, event.value)
            states[event.key] = encode(state)
            await output.send(key=event.key, value=told)
            done += 1
            if done == WATCH.events:
                await app.producer.flush()
                await app.consumer.commit()
                WATCH.last()
                os._exit(0)

    app.agent(app.topic(INPUT, partitions=PARTITIONS, **RAW))(stage)
    return app


if __name__ == "__main__":
    use("uvloop")
    faust.Worker(make(), loglevel="INFO", redirect_stdouts=False, quiet=True).execute_from_commandline()
