"""When a cron expression ticks. Pure: the time is an argument.

The syntax is that of Debian's cron (five fields, names of months and days, `L` for the last day, `#` for the n-th weekday) as the library
cronsim reads it, with an optional sixth field for seconds. In a zone with summer time, ticks that the clock jumps over come right after the
jump, and those of an hour that comes twice come once, unless they are every minute or hour.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from taskfleet.errors import InvalidTaskError

_MOST_MISSED = 100_000
"""Ticks that are counted through to find the latest; of more the hundred-thousandth counts as it."""


def next_tick(cron: str, *, time_zone: str, after: datetime) -> datetime:
    """The first tick after a moment, in UTC.

    Raises InvalidTaskError for an expression or a zone that does not exist, and for one that never ticks.
    """
    return next(_ticks(cron, time_zone=time_zone, after=after))


def due_tick(cron: str, *, time_zone: str, due_at: datetime, now: datetime) -> tuple[datetime, datetime]:
    """The latest tick that has come, from `due_at` on, and the first that has not: what was missed is made up for once."""
    latest = due_at
    for number, tick in enumerate(_ticks(cron, time_zone=time_zone, after=due_at)):
        if tick > now:
            return latest, tick
        if number == _MOST_MISSED:
            break
        latest = tick
    return latest, next_tick(cron, time_zone=time_zone, after=now)


def _ticks(cron: str, *, time_zone: str, after: datetime) -> Iterator[datetime]:
    try:
        zone = ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError) as error:
        raise InvalidTaskError(f"time zone {time_zone!r} does not exist: use a name such as Europe/Berlin, or UTC") from error
    try:
        ticks = CronSim(cron, after.astimezone(zone))
    except CronSimError as error:
        raise InvalidTaskError(
            f"schedule {cron!r} is no cron expression ({error}): minute hour day month weekday, such as '0 6 * * MON'"
        ) from error
    for tick in ticks:
        yield tick.astimezone(UTC)
    raise InvalidTaskError(f"schedule {cron!r} never ticks within fifty years: correct its day or month")
