"""The worker processes of one queue: as many as were ordered, replaced when they end or when what they run has changed."""

import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from typing import Final

from taskfleet_operator.local.launch import Launch
from taskfleet_operator.local.process import WorkerProcess
from taskfleet_operator.local.restarts import PROVEN_SECONDS, Restarts
from taskfleet_operator.loop.fleet import FleetState, FleetWorker, ScaleOrder

KILL_AFTER_SECONDS: Final = 10.0
"""What a worker gets beyond its grace before it is killed."""
_log = logging.getLogger(__name__)


class Crew:
    """The workers of one queue. `replicas` is what was ordered; crashed workers are missing from it until they are started again."""

    def __init__(
        self, name: str, *, restarts: Restarts, show: Callable[[bytes], object], environment: Mapping[str, str] = os.environ
    ) -> None:
        self._name, self._show, self._environment = name, show, environment
        self._calm = self._restarts = restarts
        self._revision = ""
        self._workers: list[WorkerProcess] = []
        self._replicas = 0
        self._started = 0
        self._problem: str | None = None

    @property
    def empty(self) -> bool:
        """True when no process is left."""
        return not self._workers

    def state(self, launch: Launch) -> FleetState:
        """Say what is there; ended workers are noticed and buried first."""
        self.reap()
        staying = [worker for worker in self._workers if not worker.leaving]
        return FleetState(
            replicas=self._replicas,
            held=len(self._workers),
            ready=len(staying),
            workers=tuple(
                FleetWorker(pod=worker.pod, name=worker.name, age_seconds=worker.lived_seconds, leaving=worker.leaving)
                for worker in self._workers
            ),
            rollout=any(worker.launch.revision != launch.revision for worker in staying),
            problem=self._problem if self._replicas else None,
        )

    def scale(self, launch: Launch, order: ScaleOrder) -> tuple[str, ...]:
        """Bring the processes to the order: who may leave is told to, what is missing is started, old ones are replaced bit by bit.

        Gives the names of those that were told to end because they are not needed.
        """
        self._replicas = order.replicas
        staying = {worker.pod: worker for worker in self._workers if not worker.leaving}
        surplus = max(0, len(staying) - order.replicas)
        unstarted = self._unstarted(staying, order)
        may_go = list(dict.fromkeys([*(pod for pod in order.leave if pod in staying), *unstarted]))
        gone = [staying.pop(pod) for pod in may_go[:surplus]]
        for worker in gone:
            worker.tell_to_end()
        outdated = [worker for worker in staying.values() if worker.launch.revision != launch.revision]
        missing = order.replicas - (len(self._workers) if outdated else len(staying))
        self._start(launch, missing)
        self._replace(outdated, current=len(staying) - len(outdated))
        return tuple(worker.name for worker in gone)

    def _unstarted(self, staying: Mapping[str, WorkerProcess], order: ScaleOrder) -> list[str]:
        """Learn who has a session, and give the others, the youngest first."""
        if order.serving is None:
            return []
        for pod in order.serving & staying.keys():
            staying[pod].serves = True
        return sorted((pod for pod in staying if pod not in order.serving), key=lambda pod: staying[pod].lived_seconds)

    def let_go(self) -> None:
        """Tell every worker to end; a second time hastens them."""
        self._replicas = 0
        for worker in self._workers:
            worker.tell_to_end()

    def kill(self) -> None:
        """End every worker now."""
        for worker in self._workers:
            worker.kill()

    def reap(self) -> None:
        """Show output, bury the dead, kill those who overstay their grace, and learn from it all."""
        now = time.monotonic()
        for worker in list(self._workers):
            worker.output.forward()
            if (code := worker.exit_code) is not None:
                self._workers.remove(worker)
                self._learn_from(worker, code=code)
            elif worker.told_at is not None and now - worker.told_at > worker.launch.grace_seconds + KILL_AFTER_SECONDS:
                _log.warning("worker.killed", extra={"worker": worker.name, "grace_seconds": worker.launch.grace_seconds})
                worker.kill()
        if self._restarts.in_a_row and any(self._proves_itself(worker) for worker in self._workers):
            self._restarts, self._problem = self._restarts.after_proof(), None

    def _proves_itself(self, worker: WorkerProcess) -> bool:
        return not worker.leaving and _is_up(worker) and worker.started_at > self._restarts.crashed_at

    def _unproven(self) -> int:
        return sum(1 for worker in self._workers if not worker.leaving and not _is_up(worker))

    def _start(self, launch: Launch, missing: int) -> None:
        if launch.revision != self._revision:
            # Something else is run now: what was learned of the crashes of the old says nothing about it.
            self._revision, self._restarts, self._problem = launch.revision, self._calm, None
        for _ in range(self._restarts.allowed(missing=missing, unproven=self._unproven(), now=time.monotonic())):
            self._started += 1
            name = f"{self._name}-{os.getpid()}-{self._started}"
            worker = WorkerProcess(launch, name=name, show=self._show, environment=self._environment)
            self._workers.append(worker)
            _log.info("worker.started", extra={"worker": worker.name, "pid": worker.pid, "pod": worker.pod})

    def _replace(self, outdated: list[WorkerProcess], *, current: int) -> None:
        """Tell a quarter of the outdated workers to end, once all that replaced earlier ones have proved themselves."""
        leaving = any(worker.leaving for worker in self._workers)
        if not outdated or leaving or self._unproven() or self._restarts.in_a_row:
            return
        count = math.ceil((len(outdated) + current) / 4) if current else 1
        for worker in outdated[:count]:
            _log.info("worker.replaced", extra={"worker": worker.name, "reason": "its command or environment has changed"})
            worker.tell_to_end()

    def _learn_from(self, worker: WorkerProcess, *, code: int) -> None:
        worker.bury()
        fields = {"worker": worker.name, "exit_code": code, "lived_seconds": round(worker.lived_seconds, 1)}
        if worker.leaving:
            _log.info("worker.ended", extra=fields)
            return
        self._restarts = self._restarts.after_crash(lived_seconds=worker.lived_seconds, now=time.monotonic())
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        self._problem = f"worker {worker.name} {how} after {worker.lived_seconds:.1f} s"
        if worker.output.last_lines:
            self._problem += f"; its last words:\n{worker.output.last_lines}"
        pause = max(0.0, self._restarts.not_before - time.monotonic())
        _log.error("worker.crashed", extra={**fields, "again_in_seconds": round(pause, 1), "last_lines": worker.output.last_lines})


def _is_up(worker: WorkerProcess) -> bool:
    return worker.serves or worker.lived_seconds >= PROVEN_SECONDS
