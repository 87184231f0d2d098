"""The slots a queue has: of undrained workers, by what they are doing."""

from collections.abc import Collection, Mapping
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from taskfleet_operator.scaling.extremes import larger
from taskfleet_operator.scaling.observation import QueueObservation
from taskfleet_operator.scaling.policy import ScalingPolicy


class Capacity(Struct, frozen=True, kw_only=True, gc=False):
    """Slots, pods and running tasks of one queue now."""

    slots: int
    """n: all slots of undrained workers, starting ones included."""
    idle: int
    starting: int
    """Slots of replicas that are not up yet."""
    busy: Mapping[str, float]
    """b: running tasks by kind on undrained workers."""
    running: Mapping[str, int]
    """Running tasks by kind on all workers."""
    pods: int
    """Undrained workers and starting replicas."""
    slots_per_pod: int

    @property
    def busy_slots(self) -> int:
        """Slots of undrained workers that run a task."""
        return self.slots - self.idle - self.starting


def capacity(observation: QueueObservation, policy: ScalingPolicy, *, taken_back: Collection[UUID] = ()) -> Capacity:
    """Count the slots. A draining worker's slots count for nothing, its tasks free no room; unless its mark is `taken_back`."""
    slots = leases = draining_leases = pods = idle = 0
    for worker in observation.workers:
        if (worker.draining or worker.chosen or worker.leaving) and worker.session_id not in taken_back:
            draining_leases += worker.leases
            continue
        pods += 1
        slots += worker.slots
        leases += worker.leases
        idle += larger(0, worker.slots - worker.leases)
    running = {tasks.kind: tasks.count for tasks in observation.running if tasks.count} if observation.running else {}
    all_leases = leases + draining_leases
    kept = leases / all_leases if all_leases else 0.0
    starting = observation.starting * policy.slots_per_replica
    return Capacity(
        slots=slots + starting,
        idle=idle,
        starting=starting,
        busy={kind: count * kept for kind, count in running.items()} if draining_leases else running,
        running=running,
        pods=pods + observation.starting,
        slots_per_pod=policy.slots_per_replica,
    )


def grown(fleet: Capacity, slots: int) -> Capacity:
    """The capacity with `slots` more that are starting."""
    return replace(fleet, slots=fleet.slots + slots, starting=fleet.starting + slots)


def reduced(fleet: Capacity, slots: int) -> Capacity:
    """The capacity with `slots` fewer: starting ones go first, then idle ones, then busy ones of all kinds alike."""
    starting = larger(0, fleet.starting - slots)
    idle = larger(0, fleet.idle - (slots - (fleet.starting - starting)))
    left = larger(0, fleet.slots - slots)
    busy = left - idle - starting
    kept = busy / fleet.busy_slots if fleet.busy_slots else 0.0
    return replace(fleet, slots=left, idle=idle, starting=starting, busy={kind: count * kept for kind, count in fleet.busy.items()})
