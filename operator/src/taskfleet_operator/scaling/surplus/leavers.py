"""Who leaves and who comes back: whole workers, those with the fewest leases first, and never one that is at work.

A mark is taken back while its worker has not been chosen for deletion. Replicas are lowered only by workers that said they are
drained and by replicas that have not started.
"""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from taskfleet_operator.scaling.observation import QueueObservation, Worker


class Crew(Struct, frozen=True, kw_only=True, gc=False):
    """Changes to the workers of one queue."""

    grow: int = 0
    """Replicas to add."""
    drain: tuple[UUID, ...] = ()
    undrain: tuple[UUID, ...] = ()
    removable: tuple[UUID, ...] = ()
    surplus_starting: int = 0


class Bounds(Struct, frozen=True, kw_only=True, gc=False):
    """How far a fleet may shrink."""

    pods: int
    """Everything above must go: a ceiling."""
    slots: float
    """Whole workers may go while so many slots stay."""
    least_pods: int
    """Never fewer than this."""


def fewer(observation: QueueObservation, bounds: Bounds, *, slots_per_pod: int) -> Crew:
    """Let workers go.

    Replicas that have not started go first (a ReplicaSet deletes them first anyway), then workers that are NotReady and free, then
    those with the fewest leases.
    """
    stay = [worker for worker in observation.workers if not (worker.draining or worker.chosen or worker.leaving)]
    pods = len(stay) + observation.starting
    slots = sum(worker.slots for worker in stay) + observation.starting * slots_per_pod

    def goes(worker_slots: int) -> bool:
        return pods > bounds.least_pods and (pods > bounds.pods or slots - worker_slots >= bounds.slots)

    cancelled = 0
    while cancelled < observation.starting and goes(slots_per_pod):
        cancelled, pods, slots = cancelled + 1, pods - 1, slots - slots_per_pod
    drain = []
    for worker in sorted(stay, key=_leaves_before):
        if not goes(worker.slots):
            break
        drain.append(worker.session_id)
        pods, slots = pods - 1, slots - worker.slots
    return swap(observation, Crew(drain=tuple(drain), surplus_starting=cancelled))


def more(observation: QueueObservation, *, pods: int) -> Crew:
    """Bring `pods` more: marked workers first, those with the most room before others, then new replicas."""
    back = marked(observation.workers)[:pods]
    crew = Crew(grow=pods - len(back), undrain=tuple(worker.session_id for worker in back))
    return crew if crew.grow else swap(observation, crew)


def swap(observation: QueueObservation, crew: Crew) -> Crew:
    """Prefer a marked worker that is up and free to a replica that is still starting; then name those that may go.

    While replicas are starting nobody else is removable: lowering the replicas would delete the starting ones instead.
    """
    if not any(worker.draining or worker.chosen for worker in observation.workers):
        return crew
    left = [worker for worker in marked(observation.workers) if worker.session_id not in crew.undrain]
    chosen = [worker for worker in observation.workers if worker.chosen and not worker.leaving]
    wanted_starting = observation.starting - crew.surplus_starting
    back = [] if crew.drain else [worker for worker in left if worker.leases == 0][:wanted_starting]
    taken = {worker.session_id for worker in back}
    free = [worker for worker in (*chosen, *left) if worker.session_id not in taken and worker.drained and worker.leases == 0]
    blocked = wanted_starting > len(back) or any(not worker.ready and worker.leases for worker in observation.workers)
    return Crew(
        grow=crew.grow,
        drain=crew.drain,
        undrain=(*crew.undrain, *(worker.session_id for worker in back)),
        removable=() if blocked or observation.rollout else tuple(worker.session_id for worker in free),
        surplus_starting=crew.surplus_starting + len(back),
    )


def marked(workers: Sequence[Worker]) -> list[Worker]:
    """Workers whose mark may be taken back, those with the most room first."""
    reversible = [worker for worker in workers if worker.draining and not worker.chosen and not worker.leaving]
    return sorted(reversible, key=_fullest_last) if reversible else reversible


def _fullest_last(worker: Worker) -> int:
    return worker.leases - worker.slots


def _leaves_before(worker: Worker) -> tuple[bool, int]:
    """Sorts free workers that are NotReady first, then by leases."""
    return (worker.ready or worker.leases > 0, worker.leases)
