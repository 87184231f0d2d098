"""L, the failure ceiling: how many tasks may run at once while a downstream says that it has too much to do.

Additive increase, multiplicative decrease, counted in slots and enforced when tasks are claimed. Unset until a window shows more
than 5 % overload: a start value would make healthy work late. Permanent failures say nothing about a downstream's load and count
for nothing here.

A cut goes to 0.7 (above half overload 0.5) of what runs, but not below what the downstream was seen to carry: the slots that
attempts without overload kept busy (Little's law), less 5 %. So a limit of 800 calls a second at 25 ms is met near 19 slots at once.
"""

from msgspec import Struct
from msgspec.structs import replace

from taskfleet_operator.scaling.memory import Ceiling

WINDOW_SECONDS = 15.0
ENOUGH_OUTCOMES = 20
QUIET_SHARE = 0.02
FLOOD_SHARE = 0.5
CUT = 0.7
FLOOD_CUT = 0.5
CARRIED = 0.95
GROWTH = 0.05
USED = 0.8
QUIET_WINDOWS = 10
IDLE_SECONDS = 600.0
"""A ceiling nobody tested for so long is unset: the downstream that set it is history."""


class Happened(Struct, frozen=True, kw_only=True, gc=False):
    """What one tick adds to the window."""

    good: int
    """Attempts that ended otherwise; permanent failures left out."""
    overloaded: int
    useful_seconds: float
    """Slot time of attempts that ended without overload."""
    running: int
    """Tasks running now."""
    seconds: float
    """Length of the tick."""


def watch(before: Ceiling, happened: Happened, *, now: float, limit_share: float, allowed_slots: float) -> Ceiling:
    """The ceiling after one more tick; `limit_share` is the overload it tolerates (0: off), `allowed_slots` the allowed maximum."""
    if limit_share <= 0:
        return Ceiling()
    if before.since is None:
        return replace(before, since=now, changed_at=before.changed_at or now)
    seen = replace(
        before,
        good=before.good + happened.good,
        overloaded=before.overloaded + happened.overloaded,
        useful_seconds=before.useful_seconds + happened.useful_seconds,
        running_seconds=before.running_seconds + happened.running * happened.seconds,
    )
    outcomes = seen.good + seen.overloaded
    elapsed = now - before.since
    if elapsed <= 0:
        return seen
    flooded = outcomes >= ENOUGH_OUTCOMES and seen.overloaded > FLOOD_SHARE * outcomes
    if outcomes >= ENOUGH_OUTCOMES and (elapsed >= WINDOW_SECONDS or flooded):
        return _judged(seen, now=now, elapsed=elapsed, limit_share=limit_share, allowed_slots=allowed_slots)
    if seen.slots is not None and seen.changed_at is not None and now - seen.changed_at >= IDLE_SECONDS and not seen.overloaded:
        return Ceiling(since=now, changed_at=now)
    return seen


def _judged(seen: Ceiling, *, now: float, elapsed: float, limit_share: float, allowed_slots: float) -> Ceiling:
    share = seen.overloaded / (seen.good + seen.overloaded)
    running = max(1.0, seen.running_seconds / elapsed)
    if share > limit_share:
        cut = _cut(seen, share=share, running=running, elapsed=elapsed)
        return Ceiling(slots=cut, since=now, changed_at=now)
    if seen.slots is None:
        return Ceiling(since=now, changed_at=seen.changed_at)
    if share >= QUIET_SHARE:
        return Ceiling(slots=seen.slots, since=now, changed_at=now)
    return _relaxed(seen, running=running, now=now, allowed_slots=allowed_slots)


def _cut(seen: Ceiling, *, share: float, running: float, elapsed: float) -> float:
    """The lower ceiling; always lower than the one before, at least one slot."""
    level = running if seen.slots is None else min(seen.slots, running)
    carried = CARRIED * min(running, seen.useful_seconds / elapsed)
    factor = FLOOD_CUT if share > FLOOD_SHARE else CUT
    lower = max(factor * level, carried)
    if seen.slots is not None:
        lower = min(lower, CARRIED * seen.slots)
    return max(1.0, lower)


def _relaxed(seen: Ceiling, *, running: float, now: float, allowed_slots: float) -> Ceiling:
    slots = seen.slots or 1.0
    if slots >= allowed_slots:
        quiet = seen.quiet_windows + 1
        if quiet >= QUIET_WINDOWS:
            return Ceiling(since=now, changed_at=now)
        return Ceiling(slots=slots, since=now, quiet_windows=quiet, changed_at=now)
    # Only whole slots can be used: three tasks under a ceiling of 3.85 are all that it allows.
    if running >= USED * max(1, int(slots)):
        return Ceiling(slots=min(allowed_slots, slots + max(1.0, GROWTH * slots)), since=now, changed_at=now)
    return Ceiling(slots=slots, since=now, changed_at=seen.changed_at)
