"""The whole spec of a TaskQueue."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from taskfleet_operator.api.base import ApiModel
from taskfleet_operator.api.fields import PositiveCount, QueueName, Tuple, each_once, listed_by
from taskfleet_operator.api.spec.database import DatabaseSpec
from taskfleet_operator.api.spec.kinds import KindSpec
from taskfleet_operator.api.spec.limits import ExpirySpec, LanesSpec, LimitsSpec, RetentionSpec
from taskfleet_operator.api.spec.scaling import GoalSpec, ScalingSpec
from taskfleet_operator.api.spec.worker import WorkerSpec


class TaskQueueSpec(ApiModel):
    """What you want: a queue in a database, how long its tasks may wait, and what runs them."""

    queue: QueueName | None = None
    """Name of the queue in the database. Unset: the name of this object. It cannot change."""
    database: DatabaseSpec
    """The PostgreSQL database that holds the queue."""
    goal: GoalSpec = GoalSpec()
    """What the fleet is scaled for."""
    max_concurrent: PositiveCount | None = None
    """Tasks of the whole queue running at once, enforced when tasks are claimed. Unset: no limit."""
    kinds: Annotated[Tuple[KindSpec], Field(max_length=200, json_schema_extra=listed_by("name"))] = ()
    """What single kinds of tasks may do. A kind that is not listed has no quota."""
    scaling: ScalingSpec = ScalingSpec()
    """Bounds and habits of the scaling."""
    lanes: LanesSpec = LanesSpec()
    """New tasks go before old ones; old ones keep a fixed share."""
    expiry: ExpirySpec = ExpirySpec()
    """When tasks are given up."""
    retention: RetentionSpec = RetentionSpec()
    """How long the records of finished tasks are kept."""
    limits: LimitsSpec = LimitsSpec()
    """Bounds that producers meet."""
    worker: WorkerSpec
    """What runs the tasks."""
    stop_policy: Literal["None", "Hold", "HoldAndDrain"] = "None"
    """Hold lets nothing be claimed and keeps the workers; HoldAndDrain lets nothing be claimed and removes them."""

    @field_validator("kinds", mode="after")
    @classmethod
    def _each_kind_once(cls, kinds: tuple[KindSpec, ...]) -> tuple[KindSpec, ...]:
        # The API server knows this rule from x-kubernetes-list-type: map.
        return each_once(kinds, of=[kind.name for kind in kinds])
