"""The simulation of one queue under one controller: play until the next tick, look, decide, carry out."""

from taskfleet_operator.simulation.controllers import Controller
from taskfleet_operator.simulation.downstream import Downstream
from taskfleet_operator.simulation.played import PlayedQueue
from taskfleet_operator.simulation.result import Result
from taskfleet_operator.simulation.tasks import TASKFLEET, Manners, Workload

GIVE_UP_SECONDS = 5 * 24 * 3600.0
"""A controller that starts nobody would let a run go on for ever."""


class Simulation:
    """Runs one workload under one controller until every task is finished, the horizon over and every pod gone."""

    def __init__(
        self,
        workload: Workload,
        controller: Controller,
        *,
        seed: int = 1,
        downstream: Downstream | None = None,
        manners: Manners = TASKFLEET,
        give_up_seconds: float = GIVE_UP_SECONDS,
    ) -> None:
        self._give_up = workload.horizon_seconds + give_up_seconds
        self._controller = controller
        self._queue = PlayedQueue(
            workload,
            controller=controller.name,
            seed=seed,
            downstream=downstream,
            manners=manners,
            grace_seconds=controller.grace_seconds,
        )

    def run(self, *, moments: bool = False) -> Result:
        """Play the whole workload; `moments` are kept for pictures."""
        queue = self._queue
        next_tick = 0.0
        while not queue.over and next_tick < self._give_up:
            queue.play_until(next_tick)
            orders = self._controller.orders(queue.observe(), now=queue.now)
            queue.apply(orders)
            if moments:
                queue.result.moments.append(queue.moment(orders))
            next_tick += self._controller.tick_seconds
        return queue.close()
