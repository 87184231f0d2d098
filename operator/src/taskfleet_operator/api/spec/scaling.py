"""How a fleet may grow and shrink."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from taskfleet_operator.api.base import ApiModel, Rule
from taskfleet_operator.api.fields import Count, Percent, Replicas, Tuple, each_once


class GoalSpec(ApiModel):
    """What the fleet is scaled for."""

    max_wait_seconds: Annotated[int, Field(ge=1, le=31_536_000)] = 120
    """Longest time in seconds that a ready task should wait before it starts."""


class FailuresSpec(ApiModel):
    """When failures of a downstream lower the number of tasks that run at once."""

    max_overload_percent: Percent = 5
    """Share of attempts that may end in overload (429, 503, time-outs) before the failure ceiling falls. 0 switches it off."""


class DatabaseErrorSpec(ApiModel):
    """What to do with the fleet while its database cannot be seen."""

    behavior: Literal["CurrentReplicas", "CurrentReplicasIfHigher", "Static"] = "CurrentReplicas"
    """CurrentReplicas keeps the fleet as it is; Static sets `replicas`; CurrentReplicasIfHigher takes the larger of the two."""
    failure_threshold: Annotated[int, Field(ge=1, le=1_000)] = 3
    """Failed looks in a row before the behavior applies; until then the fleet is kept as it is."""
    replicas: Replicas = 1
    """The replicas of Static and CurrentReplicasIfHigher."""


class ScalingPolicySpec(ApiModel):
    """A hard limit on how fast a fleet changes: `value` pods or percent in `periodSeconds`."""

    type: Literal["Pods", "Percent"]
    """What `value` counts."""
    value: Annotated[int, Field(ge=1, le=100_000)]
    """Pods or percent."""
    period_seconds: Annotated[int, Field(ge=1, le=1_800)]
    """The interval in seconds."""


class ScalingRulesSpec(ApiModel):
    """Hard limits for one direction, in the shape of the HorizontalPodAutoscaler."""

    stabilization_window_seconds: Annotated[int, Field(ge=0, le=3_600)] = 0
    """Seconds for which the most careful wish of the window is followed."""
    select_policy: Literal["Max", "Min", "Disabled"] = "Max"
    """Which policy binds when there are several."""
    policies: Annotated[Tuple[ScalingPolicySpec], Field(max_length=10, json_schema_extra={"x-kubernetes-list-type": "atomic"})] = ()
    """The limits. Empty: none."""


class BehaviorSpec(ApiModel):
    """Hard rate limits on top of the scaling law, for those who want them."""

    scale_up: ScalingRulesSpec | None = None
    """Limits on growing. Unset: none."""
    scale_down: ScalingRulesSpec | None = None
    """Limits on shrinking. Unset: none."""


class ScalingSpec(ApiModel):
    """Bounds and habits of the scaling."""

    rules = (
        Rule(
            # The API server asks the rule of the default {} too, before it fills in the fields.
            cel="!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",
            message="minReplicas must not be above maxReplicas",
            holds=lambda scaling: scaling.min_replicas <= scaling.max_replicas,
        ),
    )

    mode: Literal["Auto", "Recommend"] = "Auto"
    """Recommend decides and reports, but changes nothing."""
    min_replicas: Replicas = 0
    """Workers that are kept even without work."""
    max_replicas: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Workers that are never exceeded."""
    weight: Annotated[int, Field(ge=1, le=1_000)] = 1
    """Share of the operator's global cap, against the other queues of the same priority."""
    priority: Annotated[int, Field(ge=-1_000, le=1_000)] = 0
    """Queues of a higher priority get their share of the global cap first."""
    panic_backlog: Count = 1_000
    """More waiting tasks than this, and too few workers to start them in time: grow to the allowed maximum at once."""
    pause: Annotated[
        Tuple[Literal["In", "Out"]],
        Field(max_length=2, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = ()
    """Directions in which the fleet does not change: In (shrinking), Out (growing)."""
    failures: FailuresSpec = FailuresSpec()
    """When failures of a downstream lower the number of tasks that run at once."""
    on_database_error: DatabaseErrorSpec = DatabaseErrorSpec()
    """What to do with the fleet while its database cannot be seen."""
    behavior: BehaviorSpec = BehaviorSpec()
    """Hard rate limits on top of the scaling law."""

    @field_validator("pause", mode="after")
    @classmethod
    def _each_direction_once(cls, pause: tuple[str, ...]) -> tuple[str, ...]:
        # The API server knows this rule from x-kubernetes-list-type: set.
        return each_once(pause, of=pause)
