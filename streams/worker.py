"""The worker process: processor and sink, each a Faust app and consumer group of its own, on one loop."""

import asyncio
import gc
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any, Literal

import faust
import uvloop
from mode import Service

from schemas.topics import ALL, Topic, changelog
from streams import topics
from streams.children import WHY
from streams.core import Step
from streams.embedded import free_port
from streams.fragments.step import Fragments
from streams.host import Host, make_app
from streams.identity.step import Identity
from streams.ingest.step import Ingest
from streams.journeys.step import Journeys
from streams.processor import Processor
from streams.settings import Settings
from streams.sink.agent import Sink
from streams.sink.insert import Server
from streams.sink.rows import INPUTS

logger = logging.getLogger(__name__)

GC_THRESHOLD = 200_000  # net new objects before a collection: state is kept as bytes, cycles are rare

STEPS: tuple[type[Step], ...] = (Ingest, Fragments, Identity, Journeys)

STOP_SECONDS = 7.0  # for a worker to end in good order; what it had not committed then is done again

Part = Literal["processor", "sink"]


def _processor(settings: Settings, web: bool) -> Host:
    processor = Processor(settings, make_app(settings, settings.group, web))
    for step in STEPS:
        processor.add(step)
    return processor


def _sink(settings: Settings, web: bool) -> Host:
    app = make_app(settings, f"{settings.group}-sink", web)
    return Sink(settings, app, Server(settings.clickhouse))


PARTS: dict[Part, Callable[[Settings, bool], Host]] = {"processor": _processor, "sink": _sink}


class StartError(Exception):
    """The worker cannot start: one clear line."""


def needed(settings: Settings, parts: tuple[Part, ...]) -> list[Topic]:
    """The topics that the parts read and write.

    >>> [topic.name for topic in needed(Settings(), ("sink",))][:2]
    ['touchpoints.valid', 'touchpoints.dead-letter']
    """
    if parts == ("sink",):
        return [topic for topic in ALL if topic.name in INPUTS]
    keeps = [step.name for step in STEPS if step.stateful and settings.state is None]
    return [*ALL, *(changelog(settings.group, name) for name in keeps)]


def with_web_port(settings: Settings) -> Settings:
    """Settings whose port of `/status` is free; raises StartError when one that was chosen is not."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", settings.web_port))
            return settings
        except OSError as error:
            if "web_port" in settings.model_fields_set:
                why = f"cannot listen on JOURNEYS_WEB_PORT={settings.web_port}: {error.strerror}"
                raise StartError(why) from None
    port = free_port()
    logger.warning("port %s is taken; /status is on port %s", settings.web_port, port)
    return settings.model_copy(update={"web_port": port})


def work(settings: Settings, parts: tuple[Part, ...] = ("processor", "sink")) -> None:
    """Run the parts until SIGTERM or SIGINT; does not return.

    Raises TopicsError when Kafka does not answer or its topics are not as they must be (a broker would create
    those that are missing by itself, as it likes), StartError when the port is taken.
    """
    topics.check(settings.broker, settings.partitions, needed(settings, parts))
    settings = with_web_port(settings)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    hosts = [PARTS[part](settings, part == parts[0]) for part in parts]
    first = hosts[0].app

    @first.page("/status")
    async def status(view: Any, request: Any) -> Any:
        del request
        reports = [host.status() for host in hosts]
        return view.json({name: [item for report in reports for item in report[name]] for name in reports[0]})

    @first.on_before_shutdown.connect
    async def bound(*_: Any, **__: Any) -> None:
        limit = threading.Timer(STOP_SECONDS, _give_up)
        limit.daemon = True
        limit.start()

    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 10, 10)
    others: list[Service] = [host.app for host in hosts[1:]]
    worker = faust.Worker(
        first, *others, loglevel=settings.log_level, redirect_stdouts=False, blocking_timeout=None, quiet=True
    )
    code: Any = 1
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        code = ended.code or 0
    finally:
        for error in filter(None, (host.failed for host in hosts)):  # the last line of the log says why
            print(f"{WHY}{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        # Python would wait for the thread of an insert that ClickHouse does not answer: up to two minutes.
        _end(code if isinstance(code, int) else 1)


def _give_up() -> None:
    """The broker does not answer: aiokafka would wait for it to say goodbye."""
    logger.warning("not ended within %g s: leaving as it is", STOP_SECONDS)
    _end(1)


def _end(code: int) -> None:
    logging.shutdown()
    os._exit(code)
