"""Simulated pods: they start, offer slots, drain and end; pod-seconds run from creation to end."""

from dataclasses import dataclass, field
from random import Random
from uuid import UUID

from taskfleet_operator.scaling import Worker


@dataclass(kw_only=True, slots=True, eq=False)
class Pod:
    """One pod."""

    number: int
    slots: int
    created: float
    ready_at: float
    up: bool = False
    draining: bool = False
    ending: bool = False
    """Told to end; no longer one of the replicas."""
    leases: int = 0
    paused: int = 0
    """Slots that wait after a refusal."""
    ended: bool = False
    tasks_left: int | None = None
    """Of a job: how many tasks it will still take."""
    place: int = -1
    """Index among the pods with a free slot; −1: it has none."""
    session_id: UUID = field(init=False)

    def __post_init__(self) -> None:
        self.session_id = UUID(int=self.number)

    @property
    def free(self) -> bool:
        """Whether it would take another task."""
        return self.up and not self.draining and not self.ended and self.leases + self.paused < self.slots and self.tasks_left != 0

    def seen(self) -> Worker:
        """As the operator sees it."""
        return Worker(
            session_id=self.session_id,
            slots=self.slots,
            leases=self.leases,
            draining=self.draining,
            drained=self.draining and self.leases == 0,
            leaving=self.ending,
        )


class Pods:
    """All pods of one queue, and who has room."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._count = 0
        self._free: list[Pod] = []
        self.alive: dict[UUID, Pod] = {}
        self.pod_seconds = 0.0

    def create(self, *, now: float, slots: int, startup: float) -> Pod:
        """A pod that will be up after `startup` seconds."""
        self._count += 1
        pod = Pod(number=self._count, slots=slots, created=now, ready_at=now + startup)
        self.alive[pod.session_id] = pod
        return pod

    def end(self, pod: Pod, *, now: float) -> None:
        """The pod is gone and paid for."""
        pod.ended = True
        self.pod_seconds += now - pod.created
        del self.alive[pod.session_id]
        self.update(pod)

    def update(self, pod: Pod) -> None:
        """Note whether the pod has room now."""
        if pod.free and pod.place < 0:
            pod.place = len(self._free)
            self._free.append(pod)
        elif not pod.free and pod.place >= 0:
            last = self._free.pop()
            if last is not pod:
                self._free[pod.place] = last
                last.place = pod.place
            pod.place = -1

    def pick(self) -> Pod | None:
        """Any pod with room: whoever polls first."""
        return self._free[int(self._random.random() * len(self._free))] if self._free else None
