"""One queue as it is played: tasks arrive, pods start, claim and end, all at exact times; orders are carried out."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable
from random import Random

from taskfleet_operator.scaling import ARRIVED, OutcomeTotal, QueueObservation, RunningTasks
from taskfleet_operator.simulation.backlog import Backlog, Waiting
from taskfleet_operator.simulation.controllers import Orders
from taskfleet_operator.simulation.downstream import Downstream, End, Healthy
from taskfleet_operator.simulation.pods import Pod, Pods
from taskfleet_operator.simulation.result import Moment, Result
from taskfleet_operator.simulation.tasks import TASKFLEET, Manners, Workload

OUTCOMES = {
    End.DONE: ("succeeded", ""),
    End.GONE: ("failed", "TASK_ENTITY_NOT_FOUND"),
    End.FAULTY: ("retried", "TASK_EXECUTION_FAILED"),
    End.OVERLOADED: ("released", "TASK_OVERLOADED"),
}
SLOT_PAUSE_SECONDS = 1.0
"""How long a slot waits after a refusal; it holds no lease meanwhile."""


class PlayedQueue:
    """A queue, its pods, and what happened so far."""

    def __init__(
        self,
        workload: Workload,
        *,
        controller: str,
        seed: int = 1,
        downstream: Downstream | None = None,
        manners: Manners = TASKFLEET,
        grace_seconds: float = 0.0,
    ) -> None:
        self.workload = workload
        self.now = 0.0
        self._downstream = downstream or Healthy()
        self._manners = manners
        self._grace_seconds = grace_seconds
        self._random = Random(seed)
        self._pods = Pods(self._random)
        self._backlog = Backlog(workload.kinds, workload.lanes)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        self._next_task = 0
        self._replicas = 0
        self._ceiling: int | None = None
        self._gates: dict[str, int] = {}
        self._startups: list[float] = []
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._busy: defaultdict[tuple[str, str, str], float] = defaultdict(float)
        self._started: dict[int, tuple[float, Waiting, Pod]] = {}
        self._started_at: defaultdict[str, float] = defaultdict(float)
        """Sum of the starts of running tasks, by kind: their time so far without a walk over them."""
        self.result = Result(
            workload=workload.name,
            controller=controller,
            tasks=len(workload.tasks),
            max_wait_seconds=workload.max_wait_seconds,
            stale_wait_seconds=workload.lanes.stale_wait_seconds,
        )

    @property
    def held(self) -> int:
        """Pods that exist."""
        return len(self._pods.alive)

    @property
    def over(self) -> bool:
        """Whether every task is finished, the horizon past and every pod gone."""
        return self.result.finished and self.now >= self.workload.horizon_seconds and not self._pods.alive

    def play_until(self, end: float) -> None:
        """Let everything happen that happens until then."""
        tasks = self.workload.tasks
        while True:
            arrival = tasks[self._next_task].arrival if self._next_task < len(tasks) else float("inf")
            event = self._events[0][0] if self._events else float("inf")
            if min(arrival, event) > end:
                break
            if arrival <= event:
                self.now = arrival
                task = tasks[self._next_task]
                self._next_task += 1
                self._counts[task.kind, ARRIVED, ""] += 1
                self._backlog.add(Waiting(task=task, since=arrival - task.age), now=arrival)
                self._dispatch()
            else:
                self.now, _, happen = heapq.heappop(self._events)
                happen()
        self.now = end

    def close(self) -> Result:
        """End what is left and settle the bill."""
        for pod in list(self._pods.alive.values()):
            self._pods.end(pod, now=self.now)
        self.result.pod_seconds = self._pods.pod_seconds
        return self.result

    def observe(self) -> QueueObservation:
        """The queue as the operator sees it now."""
        startups, self._startups = tuple(self._startups), []
        alive = self._pods.alive.values()
        running = {kind: count for kind, count in self._backlog.running.items() if count}
        return QueueObservation(
            queue=self.workload.name,
            ready=self._backlog.seen(now=self.now),
            running=tuple(
                RunningTasks(kind=kind, count=count, running_seconds=max(0.0, count * self.now - self._started_at[kind]))
                for kind, count in running.items()
            ),
            totals=tuple(
                OutcomeTotal(kind=kind, outcome=outcome, code=code, count=number, busy_seconds=self._busy[kind, outcome, code])
                for (kind, outcome, code), number in self._counts.items()
            ),
            workers=tuple(pod.seen() for pod in alive if pod.up),
            replicas=self._replicas,
            held=len(alive),
            starting=sum(not pod.up and not pod.ending for pod in alive),
            startup_seconds=startups,
        )

    def apply(self, orders: Orders) -> None:
        """Carry out what was decided."""
        alive = self._pods.alive
        for session, draining in (*((one, True) for one in orders.drain), *((one, False) for one in orders.undrain)):
            alive[session].draining = draining
            self._pods.update(alive[session])
        for session in orders.remove:
            self._end(alive[session])
        self.result.actions += orders.replicas != self._replicas
        self._replicas = orders.replicas
        self._fit(jobs=orders.jobs)
        self._ceiling = orders.claim_ceiling
        self._gates = dict(orders.kind_ceilings)
        self._dispatch()
        self.result.most_pods = max(self.result.most_pods, len(alive))
        self.result.final_pods = len(alive)

    def moment(self, orders: Orders) -> Moment:
        """The queue now, for pictures."""
        oldest = self._backlog.oldest_since()
        return Moment(
            at=self.now,
            waiting=len(self._backlog),
            running=len(self._started),
            oldest_wait=0.0 if oldest is None else self.now - oldest,
            held=len(self._pods.alive),
            replicas=self._replicas,
            ceiling=orders.claim_ceiling,
            reason=orders.reason,
        )

    def _at(self, when: float, happen: Callable[[], None]) -> None:
        self._sequence += 1
        heapq.heappush(self._events, (when, self._sequence, happen))

    def _dispatch(self) -> None:
        while len(self._backlog) and (pod := self._pods.pick()) is not None:
            if self._ceiling is not None and len(self._started) >= self._ceiling:
                return
            waiting = self._backlog.take(now=self.now, gates=self._gates)
            if waiting is None:
                return
            self._start(waiting, pod)

    def _start(self, waiting: Waiting, pod: Pod) -> None:
        if waiting.first_wait is None:
            waiting.first_wait = self.now - waiting.task.arrival
        waiting.calls += 1
        self.result.calls += 1
        pod.leases += 1
        if pod.tasks_left is not None:
            pod.tasks_left -= 1
        self._pods.update(pod)
        self._sequence += 1
        lease = self._sequence
        self._started[lease] = (self.now, waiting, pod)
        self._started_at[waiting.task.kind] += self.now
        attempt = self._downstream.attempt(waiting.task, now=self.now, running=len(self._started))
        self._at(self.now + attempt.seconds, lambda: self._finish(lease, attempt.end))

    def _finish(self, lease: int, end: End) -> None:
        if lease not in self._started:
            return
        started, waiting, pod = self._started.pop(lease)
        kind = waiting.task.kind
        self._returned(kind, started)
        key = (kind, *OUTCOMES[end])
        self._counts[key] += 1
        self._busy[key] += self.now - started
        pod.leases -= 1
        self._settled(waiting, pod, end)
        self._pods.update(pod)
        if pod.ending and not pod.leases:
            self._pods.end(pod, now=self.now)
        self._dispatch()
        self._end_if_job_done(pod)

    def _end_if_job_done(self, pod: Pod) -> None:
        """A job that holds nothing now, and found nothing to take, has done its work."""
        if pod.tasks_left is not None and not pod.leases and not pod.ended:
            self._pods.end(pod, now=self.now)

    def _returned(self, kind: str, started: float) -> None:
        self._started_at[kind] -= started
        self._backlog.running[kind] -= 1

    def _settled(self, waiting: Waiting, pod: Pod, end: End) -> None:
        """What becomes of the task: finished, given up, or back into the queue."""
        self.result.refused += end is End.OVERLOADED
        if end is End.OVERLOADED and self._manners.overload_is_free:
            pod.paused += 1
            waiting.since = self.now + SLOT_PAUSE_SECONDS
            self._at(waiting.since, lambda: self._again(waiting, pod))
            return
        waiting.failures += end is not End.DONE
        if end is not End.DONE and waiting.failures < self._manners.attempts and not (end is End.GONE and self._manners.gone_is_final):
            waiting.since = self.now + self._manners.backoff(waiting.failures)
            self._at(waiting.since, lambda: self._again(waiting, None))
            return
        self._waited(waiting)
        self.result.seconds = self.now
        self.result.done += end is End.DONE
        self.result.gone += end is not End.DONE and waiting.task.gone
        self.result.lost += end is not End.DONE and not waiting.task.gone

    def _waited(self, waiting: Waiting) -> None:
        result, wait = self.result, waiting.first_wait or 0.0
        came_stale = waiting.task.age > self.workload.lanes.fresh_seconds
        (result.stale_waits if came_stale else result.waits).append(wait)
        if wait > (result.stale_wait_seconds if came_stale else result.max_wait_seconds):
            result.late_arrivals.append(waiting.task.arrival)

    def _again(self, waiting: Waiting, resting: Pod | None) -> None:
        if resting is not None:
            resting.paused -= 1
            self._pods.update(resting)
        self._backlog.add(waiting, now=self.now)
        self._dispatch()

    def _fit(self, *, jobs: bool) -> None:
        """Make as many pods as replicas, as a ReplicaSet does: those that are not up end first, then any."""
        staying = [pod for pod in self._pods.alive.values() if not pod.ending]
        missing = self._replicas - len(staying)
        for _ in range(missing):
            least, most = self.workload.startup_least, self.workload.startup_most
            pod = self._pods.create(now=self.now, slots=self.workload.slots_per_pod, startup=self._random.uniform(least, most))
            pod.tasks_left = pod.slots if jobs else None
            self._at(pod.ready_at, lambda pod=pod: self._up(pod))  # type: ignore[misc]
        if missing < 0:
            for pod in sorted(staying, key=lambda pod: (pod.up, -pod.ready_at))[:-missing]:
                self._end(pod)

    def _end(self, pod: Pod) -> None:
        """Tell a pod to end: it claims nothing more and goes on with its tasks for the grace period."""
        pod.ending = pod.draining = True
        self._pods.update(pod)
        if not pod.leases:
            self._pods.end(pod, now=self.now)
        elif self._grace_seconds > 0:
            self._at(self.now + self._grace_seconds, lambda: self._kill(pod))
        else:
            self._kill(pod)

    def _kill(self, pod: Pod) -> None:
        if pod.ended:
            return
        for lease, (started, waiting, home) in list(self._started.items()):
            if home is pod:
                del self._started[lease]
                self._returned(waiting.task.kind, started)
                self.result.killed += 1
                self._backlog.add(waiting, now=self.now)
        self._pods.end(pod, now=self.now)

    def _up(self, pod: Pod) -> None:
        if pod.ended:
            return
        pod.up = True
        self._startups.append(self.now - pod.created)
        self._pods.update(pod)
        self._dispatch()
        self._end_if_job_done(pod)
