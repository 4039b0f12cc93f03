"""The worker process: the processor's steps and the sink, each a Faust app of its own, on one event loop."""

import asyncio
import gc
from collections.abc import Sequence
from typing import Any

import faust
import uvloop

from streams.core import Step
from streams.processor import Processor, make_app
from streams.settings import Settings

GC_THRESHOLD = 50_000  # allocations between two collections; state is kept as bytes, cycles are rare


def work(settings: Settings, steps: Sequence[type[Step]]) -> None:
    """Run the given steps until SIGTERM or SIGINT; does not return."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    app = make_app(settings, settings.group, web=True)
    processor = Processor(settings, app)
    for step in steps:
        processor.add(step)

    @app.page("/status")
    async def status(view: Any, request: Any) -> Any:  # noqa: ARG001
        return view.json(processor.status())

    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 100)
    faust.Worker(
        app, loglevel=settings.log_level, redirect_stdouts=False, blocking_timeout=None, quiet=True
    ).execute_from_commandline()
