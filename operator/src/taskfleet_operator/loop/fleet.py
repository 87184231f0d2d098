"""The scale target as the operator sees it: what exists of one queue's workers, and what is asked of whoever makes it so.

A Deployment in a cluster and processes on one machine both fit: the seam is `ScaleTarget` in reconcile.py.
"""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class FleetWorker:
    """One pod or process."""

    pod: str
    """What its session in the database names as pod uid."""
    name: str
    """What a person calls it."""
    age_seconds: float
    """Since it was created."""
    startup_seconds: float | None = None
    """Creation to readiness where the target knows it; else the operator takes the moment its session was opened."""
    ready: bool = True
    chosen: bool = False
    """It is the next to go and still part of `replicas` (its deletion cost is set): that is never taken back."""
    leaving: bool = False
    """It was told to end, and `replicas` holds it no longer."""


@dataclass(frozen=True, kw_only=True)
class FleetState:
    """The workers of one queue at one moment."""

    replicas: int = 0
    """What the target is set to."""
    held: int = 0
    """All that exist, starting and ending ones included."""
    ready: int = 0
    workers: tuple[FleetWorker, ...] = ()
    rollout: bool = False
    """Old and new workers stand side by side: no scale-down now."""
    foreign_change: bool = False
    """Somebody else changed the replicas since the last look."""
    problem: str | None = None
    """Why workers do not start or do not stay up, with their last words; None: nothing is wrong."""
    selector: str | None = None
    """Label selector of the pods, in a cluster."""


@dataclass(frozen=True, kw_only=True)
class ScaleOrder:
    """What to make of one queue's fleet. Doing it twice is the same as doing it once."""

    replicas: int
    """What to set the target to."""
    leave: tuple[str, ...] = ()
    """Pods that may go now: drained, without a lease. Lower the replicas by exactly these."""
    serving: frozenset[str] | None = None
    """Pods with a session; the others are the first to go when there are too many. None: nobody could see."""


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """What an order has brought so far."""

    replicas: int
    """What the target is set to now."""
    gone: tuple[str, ...] = ()
    """Names of the workers that were told to end."""


@dataclass(frozen=True, kw_only=True)
class DrainMarks:
    """Sessions to mark as draining, and sessions whose mark is taken back."""

    drain: tuple[UUID, ...] = ()
    undrain: tuple[UUID, ...] = ()
