"""Handlers without a database: one is run as a worker would, and what the queue would be told is returned.

>>> import asyncio
>>> from taskfleet_worker import Tasks
>>> tasks = Tasks()
>>> @tasks.task("double")
... def double(payload: dict[str, object]) -> int:
...     return 2 * int(str(payload["number"]))
>>> asyncio.run(run_handler(tasks, "double", {"number": 21})).result
42
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import inf
from uuid import UUID

from taskfleet.models import ClaimedTask, Completion, Failure, LeaseNote, Release
from taskfleet_worker.registry import Handler, Tasks
from taskfleet_worker.rules.admission import Admission
from taskfleet_worker.rules.missing import MissingEntities
from taskfleet_worker.rules.slots import Slots
from taskfleet_worker.runtime.bench import Bench
from taskfleet_worker.runtime.jobs import Jobs
from taskfleet_worker.runtime.notes import Notes
from taskfleet_worker.runtime.outbox import Outbox

_TASK = ClaimedTask(
    task_id=1,
    token=UUID(int=1),
    kind="test",
    payload=None,
    headers=None,
    group=None,
    entity=None,
    priority=5,
    attempt=1,
    max_attempts=3,
    run_at=datetime(2026, 1, 1, tzinfo=UTC),
    waited_seconds=0.0,
    timeout_seconds=None,
    entity_missing=False,
)


def fake_task(kind: str, payload: object = None, *, entity: str | None = None, headers: Mapping[str, str] | None = None) -> ClaimedTask:
    """A claimed task as a handler's context shows it: its first attempt of three. `task._replace(attempt=2)` gives another."""
    return _TASK._replace(kind=kind, payload=payload, entity=entity, headers=headers)


async def run_handler(
    tasks: Tasks, kind: str, payload: object = None, *, task: ClaimedTask | None = None
) -> Completion | Failure | Release:
    """Run the handler of a kind as a worker would and return what the queue would be told.

    `Completion.result` holds what it returned; `Failure` has code, message and whether it would be tried again; `Release` the delay.
    Payload types are applied. Raises KeyError if the registry has no such kind.
    """
    (record,) = await _run([task or fake_task(kind, payload)], tasks.handlers[kind])
    return record


async def run_batch(tasks: Tasks, kind: str, payloads: Sequence[object]) -> Sequence[Completion | Failure | Release]:
    """Run a batch handler once for all these payloads and return what the queue would be told of each, in their order.

    Payloads that do not fit are refused before; more of them than the size of a batch make several calls.
    """
    claimed = [fake_task(kind, payload)._replace(task_id=number) for number, payload in enumerate(payloads, start=1)]
    return await _run(claimed, tasks.handlers[kind])


class _Nowhere:
    """Takes notes of handlers; keeps none."""

    async def note(self, notes: Sequence[LeaseNote]) -> Sequence[int]:
        """Every lease holds."""
        del notes
        return ()


async def _run(claimed: Sequence[ClaimedTask], handler: Handler) -> Sequence[Completion | Failure | Release]:
    outbox = Outbox()
    bench = Bench(
        handlers={handler.kind: handler},
        slots=Slots(max(1, len(claimed))),
        outbox=outbox,
        admission=Admission([handler.kind], {}),
        missing=MissingEntities(seconds=0.0, size=1),
        notes=Notes(_Nowhere()),
        overload_pause_seconds=1.0,
        news=lambda: None,
        lost=lambda _task, _seconds: None,
    )
    jobs = Jobs(bench)
    jobs.start(claimed)
    await jobs.finished(within=inf)
    await jobs.close()
    records = {ending.task.task_id: ending.record for ending in outbox.take(len(claimed))}
    return [records[task.task_id] for task in claimed]
