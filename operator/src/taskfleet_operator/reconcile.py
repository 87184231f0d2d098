"""One pass over the fleet: observe, decide, apply, report. The order is the whole design; each step lives elsewhere."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol

from taskfleet_operator.api.task_queue import QueueKey, TaskQueue
from taskfleet_operator.databases.lane import StillBusyError
from taskfleet_operator.databases.link import QueueSight, QueueWrite
from taskfleet_operator.loop.deciding import Seen, decide_all
from taskfleet_operator.loop.facts import QueueFacts
from taskfleet_operator.loop.fleet import DrainMarks, FleetState, Scaled, ScaleOrder
from taskfleet_operator.loop.known import KnownQueues
from taskfleet_operator.loop.notebook import Notebook
from taskfleet_operator.loop.observe import pods_of, startups
from taskfleet_operator.process.supervise import Pulse, Vitals
from taskfleet_operator.scaling import Decided, Decision
from taskfleet_operator.settings import OperatorSettings
from taskfleet_operator.trouble import Trouble, trouble_with_database, trouble_with_target

SHORTEST_WAIT_SECONDS: Final = 1.0
"""A database gets at least this long to answer, however short the tick."""


class ScaleTarget(Protocol):
    """Where workers run: Deployments in a cluster, processes on one machine."""

    async def look(self, task_queues: Sequence[TaskQueue]) -> Mapping[QueueKey, FleetState | Trouble]:
        """Say what exists of each queue's workers. Workers of a queue that is not among these are let go."""
        ...

    async def prepare(self, task_queue: TaskQueue) -> None:
        """Bring all but the number of workers to the spec; raises what kept it from that."""
        ...

    async def scale(self, task_queue: TaskQueue, order: ScaleOrder) -> Scaled:
        """Take the next step to the order; raises what kept it from that."""
        ...


class QueueDatabases(Protocol):
    """Where tasks are."""

    async def look(self, task_queues: Sequence[TaskQueue], *, within: float) -> Mapping[QueueKey, QueueSight]:
        """See every queue that answers in time, and say what is in the way of the others."""
        ...

    async def write(self, key: QueueKey, wanted: QueueWrite, *, within: float) -> None:
        """Write what has changed for one queue."""
        ...


class Reporter(Protocol):
    """Tells people: conditions, events, metrics, log lines, all with the decision's own words."""

    async def report(self, facts: Sequence[QueueFacts], *, settings: OperatorSettings) -> None:
        """Tell what is new."""
        ...


class Reconciler:
    """Brings every queue's fleet to what its work needs. A queue that cannot be seen is left as it is and never holds up the others."""

    def __init__(
        self,
        known: KnownQueues,
        *,
        databases: QueueDatabases,
        target: ScaleTarget,
        reporter: Reporter,
        settings: Callable[[], OperatorSettings],
        clock: Callable[[], float] = time.time,
        tick_took: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self._known, self._databases, self._target, self._reporter = known, databases, target, reporter
        self._settings, self._clock, self._tick_took = settings, clock, tick_took
        self._notebook = Notebook()

    async def run(self, pulse: Pulse, vitals: Vitals, *, leading: Callable[[], bool] = lambda: True) -> None:
        """Tick for ever, and at once when a TaskQueue changes; not while another operator may be leading."""
        while True:
            began = time.monotonic()
            self._known.changed.clear()
            if leading():
                await self.tick()
                self._tick_took(time.monotonic() - began)
            pulse.beat()
            vitals.started = True
            with suppress(TimeoutError):
                await asyncio.wait_for(self._known.changed.wait(), max(0.0, began + self._settings().tick_seconds - time.monotonic()))

    async def tick(self) -> None:
        """One pass over the whole fleet."""
        settings = self._settings()
        seen = await self._observe(settings)
        decided = decide_all(seen, tick_seconds=settings.tick_seconds, global_max_replicas=settings.global_max_replicas, now=self._clock())
        facts = await asyncio.gather(*(self._apply(each, decided.get(each.key), settings) for each in seen))
        await self._reporter.report([*facts, *self._not_followed()], settings=settings)

    async def _observe(self, settings: OperatorSettings) -> Sequence[Seen]:
        """See all followed queues from both sides."""
        followed = {known.key: (known, known.followed) for known in self._known.all() if known.followed is not None}
        task_queues = [task_queue for _, task_queue in followed.values()]
        self._notebook.keep_only(followed)
        fleets, sights = await asyncio.gather(
            self._target.look(task_queues),
            self._databases.look(task_queues, within=max(SHORTEST_WAIT_SECONDS, settings.tick_seconds)),
        )
        seen = []
        for key, (known, task_queue) in followed.items():
            fleet, sight, notes = fleets.get(key), sights.get(key, QueueSight()), self._notebook[key]
            notes.see(sight)
            seen.append(
                Seen(
                    known=known,
                    task_queue=task_queue,
                    sight=sight,
                    fleet=fleet if isinstance(fleet, FleetState) else None,
                    target_trouble=fleet if isinstance(fleet, Trouble) else None,
                    memory=notes.memory,
                    told=notes.told,
                    blind_ticks=notes.blind_ticks,
                )
            )
        return seen

    async def _apply(self, seen: Seen, decided: Decided | None, settings: OperatorSettings) -> QueueFacts:
        """Write and scale for one queue, and say what was done; nothing that goes wrong here reaches another queue."""
        notes, measurement = self._notebook[seen.key], seen.sight.measurement
        facts = QueueFacts(
            known=seen.known,
            measurement=measurement,
            fleet=seen.fleet,
            decision=decided.decision if decided else None,
            database_trouble=seen.sight.trouble,
            target_trouble=seen.target_trouble,
            rates=notes.rates(measurement, now=self._clock()) if measurement else None,
        )
        if seen.fleet is None:
            return facts
        if seen.ours:
            try:
                await self._target.prepare(seen.task_queue)
            except Exception as error:  # noqa: BLE001 - the edge of one queue
                return replace(facts, target_trouble=trouble_with_target(error))
        if decided is None:
            # Whoever took the queue over starts workers of its own; ours finish what they hold.
            order = ScaleOrder(replicas=0, leave=tuple(worker.pod for worker in seen.fleet.workers))
            return await self._scale(seen, facts, order) if not seen.ours and seen.fleet.held else facts
        if measurement is not None:
            notes.memory = decided.memory
            notes.tell(startups(measurement, seen.fleet))
            try:
                await self._write(seen, decided.decision, settings)
            except StillBusyError:
                return facts
            except Exception as error:  # noqa: BLE001 - the edge of one queue
                return replace(facts, database_trouble=trouble_with_database(error))
        if not decided.decision.applied:
            return facts
        return await self._scale(seen, facts, _order_of(decided.decision, seen))

    async def _write(self, seen: Seen, decision: Decision, settings: OperatorSettings) -> None:
        """Have the database enforce and remember the decision."""
        notes, now = self._notebook[seen.key], self._clock()
        assert seen.sight.measurement is not None
        record = notes.record_due(decision, seen.sight.measurement, now=now, every=settings.save_seconds)
        await self._databases.write(
            seen.key,
            QueueWrite(
                queue=seen.task_queue.queue,
                marks=DrainMarks(drain=decision.drain, undrain=decision.undrain),
                slots=decision.claim_ceiling,
                kind_slots=decision.kind_ceilings,
                enforce=decision.applied,
                record=record,
                state=notes.state_due(now=now, every=settings.save_seconds, changed=record is not None),
            ),
            within=max(SHORTEST_WAIT_SECONDS, settings.tick_seconds),
        )

    async def _scale(self, seen: Seen, facts: QueueFacts, order: ScaleOrder) -> QueueFacts:
        """Give the order to the target."""
        try:
            return replace(facts, scaled=await self._target.scale(seen.task_queue, order))
        except Exception as error:  # noqa: BLE001 - the edge of one queue
            return replace(facts, target_trouble=trouble_with_target(error))

    def _not_followed(self) -> Sequence[QueueFacts]:
        return [QueueFacts(known=known) for known in self._known.all() if known.followed is None]


def _order_of(decision: Decision, seen: Seen) -> ScaleOrder:
    """Translate sessions, which the law knows, into pods, which the target knows."""
    if seen.sight.measurement is None or seen.fleet is None:
        return ScaleOrder(replicas=decision.replicas)
    pods = pods_of(seen.sight.measurement)
    return ScaleOrder(
        replicas=decision.replicas,
        leave=tuple(pods[session] for session in decision.removable if session in pods),
        serving=frozenset(pods.values()),
    )
