"""What a queue does, in numbers: statistics, the trend of the last minutes, what its work has cost, why its fleet has this size."""

from collections.abc import Sequence
from dataclasses import dataclass

from taskfleet.models import DecisionRecord
from taskfleet.reports import EfficiencyReport, QueueStats, TrendMinute
from taskfleet.store import ReaderStore
from taskfleet_ops.services.access import Address, opened
from taskfleet_ops.services.fleet import FleetCost, fleet_cost, most_workers
from taskfleet_ops.services.queues import require_queue

_DECISIONS_READ = 20_000
"""The operator writes one at least every minute or so: two weeks."""


@dataclass(frozen=True, kw_only=True)
class FleetMinute:
    """One minute of a queue and its fleet."""

    workers: int
    """The most at any moment of it."""
    work: TrendMinute


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a queue's work has brought and cost."""

    work: EfficiencyReport
    fleet: FleetCost


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why a fleet has the size it has."""

    queue: str
    latest: DecisionRecord | None
    """None: no operator has decided about the queue yet."""
    history: Sequence[DecisionRecord]
    """Decisions before it, newest first."""


async def stats(address: Address, queue: str | None) -> QueueStats:
    """One queue, or all of them with None. Raises QueueNotFoundError."""
    async with opened(address) as database:
        reader = ReaderStore(database)
        if queue is not None:
            await require_queue(reader, queue)
        return await reader.stats(queue)


async def trend(address: Address, queue: str, *, minutes: int) -> Sequence[FleetMinute]:
    """The last minutes, oldest first; the last one is not over yet. Raises QueueNotFoundError."""
    async with opened(address) as database:
        reader = ReaderStore(database)
        await require_queue(reader, queue)
        work = await reader.trend(queue, minutes=minutes)
        decisions = await reader.decisions(queue, limit=_DECISIONS_READ)
    workers = most_workers(decisions[::-1], [minute.minute for minute in work])
    return [FleetMinute(workers=count, work=minute) for count, minute in zip(workers, work, strict=True)]


async def report(address: Address, queue: str) -> Report:
    """What the queue's work has brought and cost since it began. Raises QueueNotFoundError."""
    async with opened(address) as database:
        reader = ReaderStore(database)
        await require_queue(reader, queue)
        work = await reader.report(queue)
        decisions = await reader.decisions(queue, limit=_DECISIONS_READ)
    return Report(work=work, fleet=fleet_cost(decisions[::-1], now=work.measured_at))


async def explain(address: Address, queue: str, *, history: int) -> Explanation:
    """The latest decision and some before it. Raises QueueNotFoundError."""
    async with opened(address) as database:
        reader = ReaderStore(database)
        await require_queue(reader, queue)
        decisions = await reader.decisions(queue, limit=history + 1)
    return Explanation(queue=queue, latest=decisions[0] if decisions else None, history=decisions[1:])
