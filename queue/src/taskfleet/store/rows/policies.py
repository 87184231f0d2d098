"""What is wrong with a policy, in words. Pure; the database holds the same rules as constraints."""

from collections.abc import Iterator

from taskfleet.models import KindPolicy, QueuePolicy

DEFAULT_MIN_BACKOFF_SECONDS = 2.0
DEFAULT_MAX_BACKOFF_SECONDS = 60.0
"""As the columns of queues default to (migration 0001)."""

_POSITIVE = (
    "wait_goal_seconds",
    "stale_wait_seconds",
    "waiting_expiry_seconds",
    "running_timeout_seconds",
    "failed_retention_seconds",
    "succeeded_retention_seconds",
    "max_payload_bytes",
)


def policy_fault(policy: QueuePolicy) -> str | None:
    """The first contradiction in a policy, None when there is none: what was found, what is allowed."""
    return next(_faults(policy), None)


def _faults(policy: QueuePolicy) -> Iterator[str]:
    name = f"policy of queue {policy.queue!r}"
    if not policy.queue:
        yield f"{name}: the queue has no name"
    if not 0 <= policy.stale_share <= 1:
        yield f"{name}: stale_share is {policy.stale_share:g}, it must be between 0 and 1"
    for field, least in (("fresh_seconds", 0), ("max_concurrent", 0), ("max_length", 0), ("warn_length", 0), ("max_result_bytes", 0)):
        value = getattr(policy, field)
        if value is not None and value < least:
            yield f"{name}: {field} is {value:g}, it must be {least} or more"
    for field in _POSITIVE:
        value = getattr(policy, field)
        if value is not None and value <= 0:
            yield f"{name}: {field} is {value:g}, it must be more than 0"
    names = [kind.kind for kind in policy.kinds]
    for kind in sorted({kind for kind in names if names.count(kind) > 1}):
        yield f"{name}: kind {kind!r} is named {names.count(kind)} times, name it once"
    for kind_policy in policy.kinds:
        for fault in _kind_faults(kind_policy):
            yield f"{name}, kind {kind_policy.kind!r}: {fault}"


def _kind_faults(kind: KindPolicy) -> Iterator[str]:
    if not kind.kind:
        yield "the kind has no name"
    if (kind.rate_starts is None) != (kind.rate_period_seconds is None):
        yield "rate_starts and rate_period_seconds belong together: give both or neither"
    for field in ("rate_starts", "rate_period_seconds", "expected_seconds", "timeout_seconds", "max_attempts"):
        value = getattr(kind, field)
        if value is not None and value <= 0:
            yield f"{field} is {value:g}, it must be more than 0"
    for field in ("max_concurrent", "min_backoff_seconds", "max_backoff_seconds"):
        value = getattr(kind, field)
        if value is not None and value < 0:
            yield f"{field} is {value:g}, it must be 0 or more"
    least = DEFAULT_MIN_BACKOFF_SECONDS if kind.min_backoff_seconds is None else kind.min_backoff_seconds
    most = DEFAULT_MAX_BACKOFF_SECONDS if kind.max_backoff_seconds is None else kind.max_backoff_seconds
    if most < least:
        yield f"max_backoff_seconds is {most:g}, below min_backoff_seconds, {least:g}"
