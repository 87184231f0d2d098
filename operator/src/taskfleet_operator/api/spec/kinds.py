"""What single kinds of tasks may do."""

from typing import Annotated

from pydantic import Field

from taskfleet_operator.api.base import ApiModel, Rule
from taskfleet_operator.api.fields import FineSeconds, KindName, PositiveCount, PositiveSeconds


class RateSpec(ApiModel):
    """A rate of starts: no interval of periodSeconds holds more than `starts` of them, in the whole fleet."""

    starts: PositiveCount
    """Starts allowed in any interval of periodSeconds."""
    period_seconds: Annotated[int, Field(ge=1, le=86_400)] = 60
    """Length of the interval in seconds."""


class RetrySpec(ApiModel):
    """How attempts that went wrong are repeated: exponential backoff with full jitter between the two bounds."""

    rules = (
        Rule(
            # The API server asks the rule of the default {} too, before it fills in the fields.
            cel="!has(self.minBackoffSeconds) || !has(self.maxBackoffSeconds) || self.minBackoffSeconds <= self.maxBackoffSeconds",
            message="minBackoffSeconds must not be above maxBackoffSeconds",
            holds=lambda retry: retry.min_backoff_seconds <= retry.max_backoff_seconds,
        ),
    )

    max_attempts: Annotated[int, Field(ge=1, le=1_000)] = 3
    """Attempts before a task becomes a dead letter. Overload answers do not count."""
    min_backoff_seconds: FineSeconds = 2
    """Bound of the first wait in seconds; it doubles with each attempt."""
    max_backoff_seconds: FineSeconds = 60
    """Bound of every wait in seconds."""


class KindSpec(ApiModel):
    """Quota, rate, time-out and retries of one kind, enforced in the database when tasks are claimed."""

    name: KindName
    """The kind, as producers and handlers name it."""
    max_concurrent: PositiveCount | None = None
    """Quota: tasks of this kind running at once, exact across the fleet. Unset: no limit."""
    rate: RateSpec | None = None
    """How many tasks of this kind may start. Unset: no limit."""
    expected_seconds: Annotated[float, Field(ge=0.001, le=315_360_000)] | None = None
    """A first guess of how long one task takes, in seconds. Measurements soon outweigh it."""
    timeout_seconds: PositiveSeconds | None = None
    """A task that runs longer than this is stopped and counts as failed attempt. Unset: expiry.runningSeconds."""
    retry: RetrySpec = RetrySpec()
    """How attempts that went wrong are repeated."""
