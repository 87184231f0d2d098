"""Fleets that nobody scales: the same number of pods all the time."""

from taskfleet_operator.scaling import QueueObservation
from taskfleet_operator.simulation.controllers import Orders


class Fixed:
    """So many pods from the first tick until the time is over and nothing is left."""

    tick_seconds = 5.0
    grace_seconds = 0.0

    def __init__(self, replicas: int, *, until: float = 0.0, name: str | None = None) -> None:
        self.name = name or f"fixed:{replicas}"
        self._replicas = replicas
        self._until = until

    def orders(self, observation: QueueObservation, *, now: float) -> Orders:
        """Keep the number while there is time or work."""
        work = bool(observation.ready or observation.running) or not observation.totals
        return Orders(replicas=self._replicas if work or now < self._until else 0)
