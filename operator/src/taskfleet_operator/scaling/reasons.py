"""Why a fleet has the size it has: the named reasons, each with its sentence.

The same word appears as a condition's reason, an Event, a metric label, a log field and a page of the documentation.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a fleet has the size it has."""

    DEADLINE_DEMAND = "DeadlineDemand"
    ARRIVAL_RATE = "ArrivalRate"
    PANIC_BACKLOG = "PanicBacklog"
    MIN_REPLICAS = "MinReplicas"
    IDLE_UNUSED = "IdleUnused"
    TAPER = "Taper"
    STABILIZED = "Stabilized"
    MAX_REPLICAS = "MaxReplicas"
    KIND_QUOTA = "KindQuota"
    KIND_RATE = "KindRate"
    FAILURE_CEILING = "FailureCeiling"
    INEFFECTIVE_SCALE_UP = "IneffectiveScaleUp"
    BREAKER_OPEN = "BreakerOpen"
    GLOBAL_CAP = "GlobalCap"
    PAUSED = "Paused"
    HELD = "Held"
    RECOMMEND = "Recommend"
    DATABASE_UNREACHABLE = "DatabaseUnreachable"
    REPLICAS_CONTESTED = "ReplicasContested"
    STEADY = "Steady"

    @property
    def sentence(self) -> str:
        """What the reason means, for a person who meets it for the first time."""
        return _SENTENCES[self]

    @property
    def is_limit(self) -> bool:
        """True when the reason keeps a fleet smaller than its work asks for."""
        return self in _LIMITS


# Names of their own for what every decision reads: in Python 3.11 a member costs 151 ns, a name 14.
DEADLINE_DEMAND = Reason.DEADLINE_DEMAND
PANIC_BACKLOG = Reason.PANIC_BACKLOG
STEADY = Reason.STEADY

_SENTENCES = {
    Reason.DEADLINE_DEMAND: "Waiting tasks would not all start within the goal with fewer workers.",
    Reason.ARRIVAL_RATE: "Tasks arrive at a rate that keeps this many workers busy.",
    Reason.PANIC_BACKLOG: "The backlog is deeper than panicBacklog and would outlast its slack: every allowed worker helps.",
    Reason.MIN_REPLICAS: "The work asks for fewer workers than minReplicas keeps warm.",
    Reason.IDLE_UNUSED: "Slots stayed unused for a whole window, so their workers leave once they are free.",
    Reason.TAPER: "The backlog will be gone well before its deadline with fewer workers, so some leave as they become free.",
    Reason.STABILIZED: "The limits under scaling.behavior hold the change back for now.",
    Reason.MAX_REPLICAS: "The work asks for more workers than maxReplicas allows.",
    Reason.KIND_QUOTA: "The quotas of the kinds, or the queue's maxConcurrent, keep further workers from doing anything.",
    Reason.KIND_RATE: "The start rates of the kinds keep further workers from doing anything.",
    Reason.FAILURE_CEILING: "A downstream answers that it is overloaded, so fewer tasks run at once until it recovers.",
    Reason.INEFFECTIVE_SCALE_UP: "More running tasks brought hardly more finished tasks, so the smaller number is kept.",
    Reason.BREAKER_OPEN: "Nearly every attempt of a kind fails, so only a probe of it runs until one succeeds.",
    Reason.GLOBAL_CAP: "All queues together may hold no more workers, and this is the share of this queue.",
    Reason.PAUSED: "The queue is paused, or scaling.pause forbids a change in this direction.",
    Reason.HELD: "The queue is held by stopPolicy: nothing is claimed.",
    Reason.RECOMMEND: "The decision is reported and not applied, because scaling.mode is Recommend.",
    Reason.DATABASE_UNREACHABLE: "The queue cannot be seen, so its workers are kept as onDatabaseError says.",
    Reason.REPLICAS_CONTESTED: "Somebody else keeps changing the replicas, so they are left alone for ten minutes.",
    Reason.STEADY: "The fleet fits its work.",
}

_LIMITS = frozenset(
    {
        Reason.STABILIZED,
        Reason.MAX_REPLICAS,
        Reason.KIND_QUOTA,
        Reason.KIND_RATE,
        Reason.FAILURE_CEILING,
        Reason.INEFFECTIVE_SCALE_UP,
        Reason.BREAKER_OPEN,
        Reason.GLOBAL_CAP,
    }
)
