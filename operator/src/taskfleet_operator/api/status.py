"""What the operator reports under `status:`."""

from typing import Annotated, Literal

from pydantic import Field

from taskfleet_operator.api.base import ApiModel
from taskfleet_operator.api.fields import Tuple, listed_by

Number = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(max_length=4_096)]
Time = Annotated[str, Field(max_length=64, json_schema_extra={"format": "date-time"})]


class TaskCounts(ApiModel):
    """Tasks of the queue by state."""

    ready: Number | None = None
    """Tasks that wait for a worker."""
    running: Number | None = None
    """Tasks that workers run."""
    scheduled: Number | None = None
    """Tasks whose time has not come: delayed, or waiting for their next attempt."""
    failed: Number | None = None
    """Dead letters."""


class DecisionStatus(ApiModel):
    """The operator's last decision, in words."""

    reason: Text | None = None
    """The rule that decided: a constant, explained in the documentation."""
    message: Text | None = None
    """The whole sentence with its numbers."""
    time: Time | None = None
    """When it was decided."""


class Condition(ApiModel):
    """One thing that is so, or is not."""

    type: Annotated[str, Field(max_length=316)]
    """Which condition."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[str, Field(max_length=1_024)]
    """Why, as a constant."""
    message: Annotated[str, Field(max_length=32_768)]
    """Why, as a sentence with numbers."""
    observed_generation: Number | None = None
    """The generation of the spec this was said of."""
    last_transition_time: Time
    """When the status last changed."""


class TaskQueueStatus(ApiModel):
    """What the operator last saw and decided."""

    observed_generation: Number | None = None
    """The generation of the spec that the operator follows."""
    replicas: Number | None = None
    """Workers that exist."""
    desired_replicas: Number | None = None
    """Workers the operator asks for, after all ceilings."""
    wanted_replicas: Number | None = None
    """Workers the work asks for, before any ceiling."""
    ready_replicas: Number | None = None
    """Workers that are up."""
    selector: Text | None = None
    """Label selector of the worker pods."""
    tasks: TaskCounts | None = None
    """Tasks of the queue by state."""
    oldest_ready_seconds: Annotated[float, Field(ge=0)] | None = None
    """How long the oldest ready task has waited, in seconds."""
    rate_per_minute: Annotated[float, Field(ge=0)] | None = None
    """Tasks finished well per minute."""
    failure_percent: Annotated[float, Field(ge=0, le=100)] | None = None
    """Attempts that failed, of all that ended recently, in percent."""
    decision: DecisionStatus | None = None
    """The operator's last decision, in words."""
    last_scale_time: Time | None = None
    """When the number of workers was last changed."""
    conditions: Annotated[Tuple[Condition], Field(max_length=32, json_schema_extra=listed_by("type"))] = ()
    """Ready, Active, DatabaseReachable, WorkersAvailable, ScalingLimited, GoalReachable, Paused, Degraded."""
