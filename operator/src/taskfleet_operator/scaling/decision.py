"""What the law answers: how many replicas, who may leave, what may be claimed, and why."""

from collections.abc import Mapping
from uuid import UUID

from msgspec import Struct, field

from taskfleet_operator.scaling.memory import Memory
from taskfleet_operator.scaling.reasons import Reason


class Step(Struct, frozen=True, kw_only=True, gc=False):
    """One step of a decision: what it looked at, what it made of it."""

    name: str
    clause: str
    """What it did, with a place for each number: it is put into words when somebody reads it, and most ticks nobody does."""
    numbers: tuple[float | str, ...] = ()
    slots: float | None = None
    """Slots after the step, where it speaks of slots."""
    reason: Reason | None = None
    """Set when the step decided or limited something."""

    @property
    def did(self) -> str:
        """The clause with its numbers, readable on its own."""
        return self.clause.format(*self.numbers) if self.numbers else self.clause


class Decision(Struct, frozen=True, kw_only=True, gc=False):
    """What to do for one queue now. Applying it twice is the same as applying it once."""

    queue: str
    wanted: int
    """Replicas the work asks for, before any ceiling."""
    desired: int
    """Replicas after all ceilings: where the fleet is heading."""
    replicas: int
    """What to set the scale target to now: lowered only by workers that are free and by replicas that have not started."""
    drain: tuple[UUID, ...] = ()
    """Sessions to mark as draining."""
    undrain: tuple[UUID, ...] = ()
    """Sessions whose mark is taken back before anything new is started."""
    removable: tuple[UUID, ...] = ()
    """Drained sessions that may go now. In Kubernetes: set their deletion cost, see it, then lower the replicas by exactly these."""
    surplus_starting: int = 0
    """Replicas without a worker that are not needed any more; already subtracted from `replicas`."""
    claim_ceiling: int | None = None
    """Tasks of the queue that may run at once (the failure ceiling or a probe); None: unset."""
    kind_ceilings: Mapping[str, int] = field(default_factory=dict)
    """Kinds under a breaker and how many of their tasks may run at once."""
    hold_claims: bool = False
    """stopPolicy: nothing may be claimed."""
    applied: bool = True
    """False in mode Recommend and while the replicas are contested: report only."""
    goal_reachable: bool = True
    """False when no fleet could start a burst within the goal: workers take too long to start."""
    reason: Reason = Reason.STEADY
    said: object = ""
    """The message, or what puts it into words when somebody reads it: most ticks nobody does."""
    limited_by: Reason | None = None
    """The ceiling that keeps `desired` below `wanted`."""
    steps: tuple[Step, ...] = ()

    @property
    def message(self) -> str:
        """A full sentence with the numbers."""
        return str(self.said)


class Decided(Struct, frozen=True, kw_only=True, gc=False):
    """A decision and what to remember for the next one."""

    decision: Decision
    memory: Memory
