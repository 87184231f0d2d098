"""KEDA and the Horizontal Pod Autoscaler, as their documentation and source say, to compare with.

KEDA's operator polls and moves between none and one replica; the HPA asks for the metric at each of its own syncs and does the rest.
Two paths of the HPA differ. Without `behavior` the highest recommendation of five minutes counts even for growth, and replicas at most
double (or become four) a sync. With `behavior` written out that memory only slows scale-down, and growth is the more generous of
+100 % and +4 pods in 15 s.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum
from math import ceil

from taskfleet_operator.scaling import QueueObservation
from taskfleet_operator.simulation.controllers import Orders

SYNC_SECONDS = 15.0
TOLERANCE = 0.1
STABILIZATION_SECONDS = 300.0


class HpaPath(Enum):
    """Which code of the HPA decides."""

    NIL_BEHAVIOR = "nil behavior"
    BEHAVIOR = "behavior written out"


@dataclass(frozen=True, kw_only=True, slots=True)
class KedaSettings:
    """A ScaledObject."""

    target: float
    """Waiting and running tasks per replica."""
    max_replicas: int
    poll_seconds: float = 30.0
    cooldown_seconds: float = 300.0
    path: HpaPath = HpaPath.NIL_BEHAVIOR
    grace_seconds: float = 300.0
    """How long a pod that is told to end may go on with its tasks."""


class Keda:
    """One ScaledObject with its HPA."""

    tick_seconds = 5.0

    def __init__(self, settings: KedaSettings, *, name: str) -> None:
        self.name = name
        self.grace_seconds = settings.grace_seconds
        self._settings = settings
        self._last_active = 0.0
        self._recommended: deque[tuple[float, int]] = deque()
        self._last_poll = -settings.poll_seconds
        self._last_sync = 0.0

    def orders(self, observation: QueueObservation, *, now: float) -> Orders:
        """Poll and sync when it is time."""
        metric = sum(bucket.count for bucket in observation.ready) + sum(tasks.count for tasks in observation.running)
        replicas = observation.replicas
        if now - self._last_poll >= self._settings.poll_seconds:
            self._last_poll = now
            replicas = self._polled(metric, replicas, now=now)
        if now - self._last_sync >= SYNC_SECONDS:
            self._last_sync = now
            replicas = self._synced(metric, replicas, now=now) if observation.replicas > 0 else replicas
        return Orders(replicas=replicas)

    def _polled(self, metric: int, replicas: int, *, now: float) -> int:
        """KEDA's operator: none to one when there is work, to none after the cooldown."""
        if metric > 0:
            self._last_active = now
            return max(1, replicas)
        return 0 if now - self._last_active >= self._settings.cooldown_seconds else replicas

    def _synced(self, metric: int, replicas: int, *, now: float) -> int:
        if replicas == 0:
            return 0
        ratio = metric / (self._settings.target * replicas)
        wanted = replicas if abs(ratio - 1) <= TOLERANCE else ceil(metric / self._settings.target)
        wanted = max(1, min(self._settings.max_replicas, wanted))
        self._recommended.append((now, wanted))
        while self._recommended[0][0] < now - STABILIZATION_SECONDS:
            self._recommended.popleft()
        highest = max(count for _, count in self._recommended)
        if self._settings.path is HpaPath.NIL_BEHAVIOR:
            return min(highest, max(2 * replicas, 4), self._settings.max_replicas)
        return self._with_behavior(wanted, highest, replicas)

    def _with_behavior(self, wanted: int, highest: int, replicas: int) -> int:
        if wanted > replicas:
            return min(wanted, max(2 * replicas, replicas + 4))
        return min(replicas, highest)


def default_keda(*, goal: float, service: float, max_replicas: int, slots: int = 1) -> Keda:
    """A ScaledObject as one writes it first: the target that drains the queue in the goal, everything else left alone."""
    settings = KedaSettings(target=max(1.0, slots * goal / service), max_replicas=max_replicas)
    return Keda(settings, name="KEDA, defaults (nil behavior)")


def tuned_keda(*, goal: float, service: float, max_replicas: int, slots: int = 1, path: HpaPath = HpaPath.NIL_BEHAVIOR) -> Keda:
    """A ScaledObject by somebody who knows the true service time: half the goal, polled every five seconds."""
    settings = KedaSettings(target=max(1.0, slots * goal / (2 * service)), max_replicas=max_replicas, poll_seconds=5, path=path)
    return Keda(settings, name=f"KEDA, tuned ({path.value})")
