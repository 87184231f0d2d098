"""How old, how many and how large tasks may be."""

from typing import Annotated

from pydantic import Field

from taskfleet_operator.api.base import ApiModel
from taskfleet_operator.api.fields import PositiveCount, PositiveSeconds, Seconds


class LanesSpec(ApiModel):
    """New tasks go before old ones; old ones keep a fixed share."""

    fresh_seconds: PositiveSeconds = 900
    """Tasks younger than this many seconds are in the fresh lane, older ones in the stale lane."""
    stale_share_percent: Annotated[int, Field(ge=0, le=90)] = 20
    """Share of claims that goes to the stale lane while the fresh lane has work."""
    stale_wait_seconds: PositiveSeconds = 3_600
    """Longest time in seconds that a task of the stale lane should wait there: what that lane is sized for."""


class ExpirySpec(ApiModel):
    """When tasks are given up."""

    waiting_seconds: Annotated[int, Field(ge=1, le=315_360_000)] = 172_800
    """A task that waited this many seconds becomes a dead letter with code TASK_EXPIRED. Two days by default."""
    running_seconds: PositiveSeconds = 86_400
    """A task that ran this many seconds is stopped, whatever its kind says. One day by default."""


class RetentionSpec(ApiModel):
    """How long the records of finished tasks are kept."""

    succeeded_seconds: Seconds = 2_592_000
    """Seconds for which succeeded tasks are remembered. 30 days by default."""
    failed_seconds: Seconds = 604_800
    """Seconds for which dead letters are kept. 7 days by default."""


class LimitsSpec(ApiModel):
    """Bounds that producers meet."""

    max_length: PositiveCount = 1_000_000
    """Unfinished tasks the queue may hold; beyond it enqueue raises QueueFullError."""
    warn_length: PositiveCount = 100_000
    """Unfinished tasks from which a warning is logged; above maxLength: never."""
    max_payload_bytes: Annotated[int, Field(ge=1, le=104_857_600)] = 262_144
    """Largest payload of a task in bytes."""
    max_result_bytes: Annotated[int, Field(ge=0, le=104_857_600)] = 262_144
    """Largest result of a task, in bytes as JSON, that is kept; of a larger one only its size is. 0: none is kept."""
