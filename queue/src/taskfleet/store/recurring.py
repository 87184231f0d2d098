"""Recurring tasks: what is due is enqueued, once a tick."""

import logging
from collections.abc import Mapping
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row, scalar_row

from taskfleet.errors import InvalidTaskError
from taskfleet.store.connection import Database

_log = logging.getLogger(__name__)


async def run_due(connection: AsyncConnection[Any], database: Database, *, limit: int) -> tuple[int, bool]:
    """Enqueue for at most `limit` schedules whose tick has come, in the caller's transaction; how many, and whether more may be due."""
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(database.query("due_schedules"), {"limit": limit})
    due = await cursor.fetchall()
    done = [await _run(connection, database, row) for row in due]
    # Those that could not be run are still due: only who got on goes on at once.
    return sum(done), len(due) >= limit and all(done)


async def _run(connection: AsyncConnection[Any], database: Database, row: Mapping[str, Any]) -> bool:
    # Loaded at the first tick: most programs have no schedules.
    from taskfleet.cron import due_tick

    try:
        tick, following = due_tick(row["cron"], time_zone=row["time_zone"], due_at=row["next_at"], now=row["now"])
    except InvalidTaskError as error:
        # Stored by a release or on a machine that knew it; one schedule must not stop the others.
        _log.error("schedule.unreadable", extra={"schedule": row["id"], "error": str(error)})
        return False
    cursor = connection.cursor(row_factory=scalar_row)
    moments = {"id": row["id"], "due_at": row["next_at"], "tick_at": tick, "next_at": following}
    await cursor.execute(database.query("run_schedule"), moments)
    done = await cursor.fetchone()
    if done is None:
        _log.warning("schedule.left_out", extra={"schedule": row["id"], "tick": tick.isoformat()})
    return bool(done)
