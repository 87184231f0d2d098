"""What happens to a TaskQueue, as Events in a cluster and as log lines everywhere: on a change only."""

from enum import StrEnum


class EventReason(StrEnum):
    """The events, each with the sentence that explains it."""

    SCALED = "Scaled"
    """The number of workers was changed; the note says from what to what, and why."""
    SCALING_LIMITED = "ScalingLimited"
    """The work asks for more workers than a ceiling allows; the note names the ceiling."""
    DATABASE_UNREACHABLE = "DatabaseUnreachable"
    """The database stopped answering."""
    DATABASE_RECOVERED = "DatabaseRecovered"
    """The database answers again."""
    GOAL_UNREACHABLE = "GoalUnreachable"
    """A worker takes longer to start than tasks may wait."""
    BREAKER_OPENED = "BreakerOpened"
    """Nearly every attempt of a kind fails; one probe at a time is let through."""
    BREAKER_CLOSED = "BreakerClosed"
    """A kind that was held back works again."""
    SPEC_INVALID = "SpecInvalid"
    """The spec cannot be followed; the note names the path, what was found and what is allowed."""
    DRAINED = "Drained"
    """Workers finished their tasks and were removed."""
    REPLICAS_CONTESTED = "ReplicasContested"
    """Somebody else keeps changing the replicas."""
    WORKERS_FAILING = "WorkersFailing"
    """Workers end or cannot start; the note carries their last words."""
    WORKERS_RECOVERED = "WorkersRecovered"
    """Workers start and stay up again."""
