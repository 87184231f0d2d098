"""`taskfleet-worker check`: would a worker with these settings and handlers start, and what would it do? Changes nothing."""

import asyncio
from collections.abc import Mapping, Sequence

from taskfleet.measurements import QueueMeasurement
from taskfleet.store import OperatorStore
from taskfleet_worker.registry import Handler, Tasks
from taskfleet_worker.service import open_database
from taskfleet_worker.settings import WorkerSettings


def check(settings: WorkerSettings, tasks: Tasks) -> Sequence[str]:
    """Lines for people about handlers, database, queue and the claim that a worker would make.

    Raises DatabaseUnreachableError or SchemaError as a worker would at its start.
    """
    return asyncio.run(_check(settings, tasks))


async def _check(settings: WorkerSettings, tasks: Tasks) -> Sequence[str]:
    async with open_database(settings.database) as database:
        await database.check_schema()
        measured = (await OperatorStore(database).measure([settings.queue])).get(settings.queue)
    return [
        f"handlers     {len(tasks.handlers)} from {settings.tasks}",
        *(f"             {kind}: {manner(handler)}" for kind, handler in sorted(tasks.handlers.items())),
        f"database     answers, schema {settings.database.schema!r} is as this release needs it",
        queue_line(settings.queue, measured),
        *claim_lines(settings, tasks.handlers, measured),
    ]


def manner(handler: Handler) -> str:
    """How a handler is run: `async, batches of up to 100`."""
    where = "async" if handler.is_async else "in a thread" if handler.in_process is None else "in a process"
    return where if handler.batch_size is None else f"{where}, batches of up to {handler.batch_size}"


def queue_line(queue: str, measured: QueueMeasurement | None) -> str:
    """The queue as it is."""
    if measured is None:
        return f"queue        {queue!r} is not there yet: the first task, worker or policy makes it"
    running = sum(kind.count for kind in measured.running)
    paused = ", paused" if measured.paused else ""
    return f"queue        {queue!r}: {len(measured.sessions)} workers, {running} tasks running, {measured.scheduled} scheduled{paused}"


def claim_lines(settings: WorkerSettings, handlers: Mapping[str, Handler], measured: QueueMeasurement | None) -> Sequence[str]:
    """What a worker would claim now, and what waits for others."""
    ready: dict[str, int] = {}
    for profile in measured.ready if measured else ():
        ready[profile.kind] = ready.get(profile.kind, 0) + profile.count
    ours = {kind: count for kind, count in ready.items() if kind in handlers}
    others = {kind: count for kind, count in ready.items() if kind not in handlers}
    total = sum(ours.values())
    if measured is not None and measured.paused:
        lines = [f"would claim  nothing while the queue is paused; {total} tasks are ready"]
    elif ours:
        lines = [f"would claim  up to {min(total, settings.concurrency)} of {total} ready tasks at once: {_counts(ours)}"]
    else:
        lines = ["would claim  nothing: no task of these kinds is ready"]
    if others:
        lines.append(f"not for it   {sum(others.values())} ready tasks of kinds without a handler here: {_counts(others)}")
    return lines


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))
