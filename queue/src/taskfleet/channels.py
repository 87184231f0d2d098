"""Names of notification channels. Two long names may share one: a wake-up too many only costs a look."""

from collections.abc import Sequence

_LONGEST = 63
"""PostgreSQL's limit for an identifier, in bytes; names of queues are ASCII."""

RESULTS = "taskfleet_results"
"""Told the ids of finished tasks whose result somebody waits for: one, or several with commas between."""

_IDS_A_MESSAGE = 300
"""A message holds less than 8,000 bytes."""

NOTIFY = "SELECT set_config('synchronous_commit', 'off', true), pg_notify(%s, message) FROM unnest(%s::text[]) AS message"
"""Sends messages to a channel, in a transaction of its own that waits for no flush of the log: a notification is told to those who listen
now, and none outlives a crash."""


def result_messages(task_ids: Sequence[int]) -> list[str]:
    """What the channel of results is told of these tasks."""
    return [",".join(map(str, task_ids[start : start + _IDS_A_MESSAGE])) for start in range(0, len(task_ids), _IDS_A_MESSAGE)]


def wakeup_channel(queue: str) -> str:
    """Where the workers of a queue listen for new work."""
    return f"taskfleet_queue_{queue}"[:_LONGEST]
