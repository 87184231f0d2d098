"""The simulation: one queue, its pods and its controller, event by event."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable
from random import Random

from taskfleet_operator.scaling import ARRIVED, OutcomeTotal, QueueObservation, RunningTasks
from taskfleet_operator.simulation.backlog import Backlog, Waiting
from taskfleet_operator.simulation.controllers import Controller, Orders
from taskfleet_operator.simulation.downstream import Attempt, Downstream, End, Healthy
from taskfleet_operator.simulation.pods import Pod, Pods
from taskfleet_operator.simulation.result import Moment, Result
from taskfleet_operator.simulation.tasks import Workload

OUTCOMES = {
    End.DONE: ("succeeded", ""),
    End.GONE: ("failed", "TASK_ENTITY_NOT_FOUND"),
    End.OVERLOADED: ("released", "TASK_OVERLOADED"),
}
SLOT_PAUSE_SECONDS = 1.0
"""How long a slot waits after a refusal; it holds no lease meanwhile."""


class Simulation:
    """Runs one workload under one controller until every task is finished and the horizon is over."""

    def __init__(self, workload: Workload, controller: Controller, *, seed: int = 1, downstream: Downstream | None = None) -> None:
        self._workload = workload
        self._controller = controller
        self._downstream = downstream or Healthy()
        self._random = Random(seed)
        self._pods = Pods(self._random)
        self._backlog = Backlog(workload.kinds)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        self._now = 0.0
        self._next_task = 0
        self._replicas = 0
        self._ceiling: int | None = None
        self._gates: dict[str, int] = {}
        self._startups: list[float] = []
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._busy: defaultdict[tuple[str, str, str], float] = defaultdict(float)
        self._started: dict[int, tuple[float, Waiting, Pod]] = {}
        self._pauses = 0
        self.result = Result(
            workload=workload.name,
            controller=controller.name,
            tasks=len(workload.tasks),
            max_wait_seconds=workload.max_wait_seconds,
        )

    def run(self, *, moments: bool = False) -> Result:
        """Play the whole workload."""
        tick = self._controller.tick_seconds
        next_tick = 0.0
        while not self._over():
            self._play_until(next_tick)
            self._now = next_tick
            self._tick(moments=moments)
            next_tick += tick
        for pod in list(self._pods.alive.values()):
            self._pods.end(pod, now=self._now)
        self.result.pod_seconds = self._pods.pod_seconds
        return self.result

    def _over(self) -> bool:
        finished = self.result.done + self.result.gone == len(self._workload.tasks)
        return finished and self._now >= self._workload.horizon_seconds and not self._pods.alive

    def _play_until(self, end: float) -> None:
        tasks = self._workload.tasks
        while True:
            arrival = tasks[self._next_task].arrival if self._next_task < len(tasks) else float("inf")
            event = self._events[0][0] if self._events else float("inf")
            if min(arrival, event) > end:
                return
            if arrival <= event:
                self._now = arrival
                task = tasks[self._next_task]
                self._next_task += 1
                self._counts[task.kind, ARRIVED, ""] += 1
                self._backlog.add(Waiting(task=task, since=arrival - task.age))
                self._dispatch()
            else:
                self._now, _, happen = heapq.heappop(self._events)
                happen()

    def _at(self, when: float, happen: Callable[[], None]) -> None:
        self._sequence += 1
        heapq.heappush(self._events, (when, self._sequence, happen))

    def _dispatch(self) -> None:
        while (pod := self._pods.pick()) is not None:
            if self._ceiling is not None and len(self._started) >= self._ceiling:
                return
            waiting = self._backlog.take(now=self._now, gates=self._gates)
            if waiting is None:
                return
            self._start(waiting, pod)

    def _start(self, waiting: Waiting, pod: Pod) -> None:
        if waiting.first_wait is None:
            waiting.first_wait = self._now - waiting.task.arrival
        waiting.calls += 1
        self.result.calls += 1
        pod.leases += 1
        self._pods.update(pod)
        self._sequence += 1
        lease = self._sequence
        self._started[lease] = (self._now, waiting, pod)
        attempt = self._downstream.attempt(waiting.task, now=self._now, running=len(self._started))
        self._at(self._now + attempt.seconds, lambda: self._finish(lease, attempt))

    def _finish(self, lease: int, attempt: Attempt) -> None:
        if lease not in self._started:
            return
        started, waiting, pod = self._started.pop(lease)
        kind = waiting.task.kind
        key = (kind, *OUTCOMES[attempt.end])
        self._counts[key] += 1
        self._busy[key] += self._now - started
        self._backlog.running[kind] -= 1
        pod.leases -= 1
        if attempt.end is End.OVERLOADED:
            self._refused(waiting, pod)
        else:
            self._done(waiting, attempt.end)
        self._pods.update(pod)
        if pod.ending and not pod.leases:
            self._pods.end(pod, now=self._now)
        self._dispatch()

    def _done(self, waiting: Waiting, end: End) -> None:
        self.result.waits.append(waiting.first_wait or 0.0)
        self.result.done += end is End.DONE
        self.result.gone += end is End.GONE
        self.result.seconds = self._now

    def _refused(self, waiting: Waiting, pod: Pod) -> None:
        self.result.refused += 1
        pod.paused += 1
        waiting.since = self._now + SLOT_PAUSE_SECONDS
        self._at(waiting.since, lambda: self._again(waiting, pod))

    def _again(self, waiting: Waiting, pod: Pod) -> None:
        pod.paused -= 1
        self._pods.update(pod)
        self._backlog.add(waiting)
        self._dispatch()

    def _tick(self, *, moments: bool) -> None:
        seen = self._observe()
        orders = self._controller.orders(seen, now=self._now)
        self._apply(orders)
        self.result.most_pods = max(self.result.most_pods, len(self._pods.alive))
        self.result.final_pods = len(self._pods.alive)
        if moments:
            self.result.moments.append(
                Moment(
                    at=self._now,
                    waiting=len(self._backlog),
                    running=len(self._started),
                    held=len(self._pods.alive),
                    replicas=self._replicas,
                    ceiling=orders.claim_ceiling,
                    reason=orders.reason,
                )
            )

    def _observe(self) -> QueueObservation:
        startups, self._startups = tuple(self._startups), []
        spent: defaultdict[str, float] = defaultdict(float)
        count: Counter[str] = Counter()
        for started, waiting, _ in self._started.values():
            spent[waiting.task.kind] += self._now - started
            count[waiting.task.kind] += 1
        alive = self._pods.alive.values()
        return QueueObservation(
            queue=self._workload.name,
            ready=self._backlog.seen(now=self._now),
            running=tuple(RunningTasks(kind=kind, count=count[kind], running_seconds=spent[kind]) for kind in count),
            totals=tuple(
                OutcomeTotal(kind=kind, outcome=outcome, code=code, count=number, busy_seconds=self._busy[kind, outcome, code])
                for (kind, outcome, code), number in self._counts.items()
            ),
            workers=tuple(pod.seen() for pod in alive if pod.up),
            replicas=self._replicas,
            held=len(alive),
            starting=sum(not pod.up for pod in alive),
            startup_seconds=startups,
        )

    def _apply(self, orders: Orders) -> None:
        alive = self._pods.alive
        for session, draining in (*((one, True) for one in orders.drain), *((one, False) for one in orders.undrain)):
            alive[session].draining = draining
            self._pods.update(alive[session])
        for session in orders.remove:
            self._pods.end(alive[session], now=self._now)
        self.result.actions += orders.replicas != self._replicas
        self._replicas = orders.replicas
        self._fit()
        self._ceiling = orders.claim_ceiling
        self._gates = dict(orders.kind_ceilings)
        self._dispatch()

    def _fit(self) -> None:
        """Make as many pods as replicas, as a ReplicaSet does: those that are not up end first, then any."""
        staying = [pod for pod in self._pods.alive.values() if not pod.ending]
        missing = self._replicas - len(staying)
        for _ in range(missing):
            least, most = self._workload.startup_least, self._workload.startup_most
            pod = self._pods.create(now=self._now, slots=self._workload.slots_per_pod, startup=self._random.uniform(least, most))
            self._at(pod.ready_at, lambda pod=pod: self._up(pod))  # type: ignore[misc]
        for pod in sorted(staying, key=lambda pod: (pod.up, -pod.ready_at))[: max(0, -missing)]:
            self._end(pod)

    def _end(self, pod: Pod) -> None:
        """Tell a pod to end: it claims nothing more and goes on with its tasks for the grace period."""
        pod.ending = pod.draining = True
        self._pods.update(pod)
        if not pod.leases:
            self._pods.end(pod, now=self._now)
        elif self._controller.grace_seconds > 0:
            self._at(self._now + self._controller.grace_seconds, lambda: self._kill(pod))
        else:
            self._kill(pod)

    def _kill(self, pod: Pod) -> None:
        if pod.ended:
            return
        for lease, (_, waiting, home) in list(self._started.items()):
            if home is pod:
                del self._started[lease]
                self.result.killed += 1
                self._backlog.running[waiting.task.kind] -= 1
                self._backlog.add(waiting)
        self._pods.end(pod, now=self._now)

    def _up(self, pod: Pod) -> None:
        if pod.ended:
            return
        pod.up = True
        self._startups.append(self._now - pod.created)
        self._pods.update(pod)
        self._dispatch()
