"""What runs the tasks."""

from typing import Annotated

from pydantic import Field

from taskfleet_operator.api.base import ApiModel, Rule
from taskfleet_operator.api.fields import FreeObject, ObjectName, Seconds, Word


class TargetReference(ApiModel):
    """An existing object with a scale subresource that the operator only scales."""

    api_version: Word
    """For instance apps/v1."""
    kind: Word
    """For instance Deployment."""
    name: ObjectName
    """Name of the object, in the TaskQueue's namespace."""


class WorkerSpec(ApiModel):
    """The workers of the queue: either a pod template for a Deployment of the operator's own, or an object that exists."""

    rules = (
        Rule(
            cel="has(self.template) != has(self.targetRef)",
            message="exactly one of template and targetRef must be set",
            holds=lambda worker: (worker.template is None) != (worker.target_ref is None),
        ),
    )

    concurrency: Annotated[int, Field(ge=1, le=1_024)] = 4
    """Slots of one worker: tasks it runs at once."""
    lease_seconds: Annotated[int, Field(ge=2, le=86_400)] = 600
    """Seconds after which the tasks of a worker that was not heard of go to another one."""
    drain_seconds: Seconds = 300
    """Seconds a worker that is told to stop may take for the tasks it runs. The pods' termination grace is the larger of this and the
    longest timeoutSeconds of a kind."""
    template: FreeObject | None = None
    """A pod template. Its container `worker` is completed by the operator; whatever you set yourself stays."""
    target_ref: TargetReference | None = None
    """An existing object to scale instead. Not followed yet: it is reported as SpecInvalid."""
