"""KEDA 2.20's ScaledObject: its operator polls and moves between none and one replica, its HPA does the rest.

The two keep time apart: the operator polls every `pollingInterval`, the HPA is synced every 15 s and asks the scaler afresh each time
(metrics are not cached unless a trigger says so), and neither waits for the other. Where in their periods work finds them is chance, so it
is drawn from the seed. The metric is what the usual query counts: waiting and running tasks.
"""

from dataclasses import dataclass
from random import Random

from taskfleet_operator.scaling import Behavior, QueueObservation
from taskfleet_operator.simulation.controllers import Orders
from taskfleet_operator.simulation.rivals.hpa import SYNC_SECONDS, Hpa, HpaSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaledObject:
    """A ScaledObject with one trigger; what is left out is as KEDA has it."""

    target: float
    """Waiting and running tasks per replica."""
    max_replicas: int
    min_replicas: int = 0
    polling_seconds: float = 30.0
    cooldown_seconds: float = 300.0
    activation: float = 0.0
    """The trigger is active above so many tasks."""
    behavior: Behavior | None = None
    grace_seconds: float = 300.0
    """Of its pods: how long one that is told to end may go on with its tasks."""


class Keda:
    """One ScaledObject and its HPA."""

    def __init__(self, spec: ScaledObject, *, name: str, seed: int = 1) -> None:
        random = Random(seed)
        self.name = name
        self.grace_seconds = spec.grace_seconds
        self.tick_seconds = 0.0
        self._spec = spec
        self._hpa = Hpa(
            HpaSpec(
                target=spec.target,
                max_replicas=spec.max_replicas,
                min_replicas=max(1, spec.min_replicas),
                behavior=spec.behavior,
            )
        )
        self._next_poll = phase(random, spec.polling_seconds)
        self._next_sync = phase(random, SYNC_SECONDS)
        self._last_active: float | None = None

    def orders(self, observation: QueueObservation, *, now: float) -> Orders:
        """Poll and sync if it is time; `tick_seconds` says how long until either is."""
        metric = sum(bucket.count for bucket in observation.ready) + sum(tasks.count for tasks in observation.running)
        replicas = observation.replicas
        if now >= self._next_poll:
            replicas = self._polled(metric, replicas, now=now)
            self._next_poll += self._spec.polling_seconds
        if now >= self._next_sync:
            replicas = self._hpa.sync(metric, replicas=replicas, now=now)
            self._next_sync += SYNC_SECONDS
        self.tick_seconds = min(self._next_poll, self._next_sync) - now
        return Orders(replicas=replicas)

    def _polled(self, metric: int, replicas: int, *, now: float) -> int:
        """KEDA's operator: none to one when there is work, to none (or the minimum) when there was none for a cooldown."""
        if metric > self._spec.activation:
            self._last_active = now
            return replicas or max(1, self._spec.min_replicas)
        if replicas > 0 and self._spec.min_replicas == 0:
            # KEDA asks for more than the cooldown, but keeps the time in whole seconds, rounded down: at the tenth poll of 30 s it is over.
            cooled = self._last_active is None or now - self._last_active >= self._spec.cooldown_seconds
            return 0 if cooled else replicas
        return max(replicas, self._spec.min_replicas)


def phase(random: Random, period: float) -> float:
    """A moment of a period, in 64ths of a second: sums of such moments stay exact, and "15 s ago" means that."""
    return random.randrange(max(1, int(period * 64))) / 64
