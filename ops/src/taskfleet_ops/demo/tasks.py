"""The demo's handlers, as any application would write them: `taskfleet-worker run --tasks taskfleet_ops.demo.tasks`."""

import os
from functools import cache
from typing import Any

from taskfleet_ops.demo.downstream.client import DownstreamClient
from taskfleet_ops.demo.stage.task_queue import DOWNSTREAM_VARIABLE
from taskfleet_ops.demo.workload import INDEX, TRANSCODE
from taskfleet_worker import Context, EntityNotFound, Overloaded, Tasks

tasks = Tasks()


@tasks.task(TRANSCODE)
async def transcode(payload: dict[str, Any], context: Context) -> None:
    """Fetch the recording and turn it into what players want."""
    await fetch(payload["source"], task_id=context.task_id)


@tasks.task(INDEX)
async def index(payload: dict[str, Any], context: Context) -> None:
    """Fetch the recording and make its words findable."""
    await fetch(payload["source"], task_id=context.task_id)


async def fetch(source: str, *, task_id: int) -> None:
    """Ask the downstream for a source.

    Raises EntityNotFound when it is gone (the task fails for good, and nobody asks for this source again for a while), Overloaded when
    the downstream asks for less (the task goes back, with no attempt used up).
    """
    answer = await downstream().source(source, task_id=task_id)
    match answer.status:
        case 200:
            return
        case 404:
            raise EntityNotFound(source)
        case 429:
            raise Overloaded(answer.retry_after_seconds)
        case _:
            raise RuntimeError(f"the downstream answered {answer.status} for {source}")


@cache
def downstream() -> DownstreamClient:
    """The client of this process; its connections are kept for the process's life."""
    host, _, port = os.environ[DOWNSTREAM_VARIABLE].rpartition(":")
    return DownstreamClient(host, int(port))
