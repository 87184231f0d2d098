"""The optional fields of a new task as keyword arguments; the same as those of `NewTask`, which a test holds them to."""

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict


class TaskFields(TypedDict, total=False):
    """What `enqueue` takes beside kind and payload; see `NewTask` for what each means."""

    priority: int
    run_at: datetime | None
    delay_seconds: float | None
    group: str | None
    entity: str | None
    idempotency_key: str | None
    headers: Mapping[str, str] | None
    max_attempts: int | None
    wants_result: bool
