"""Replicas changed by somebody else: corrected once; after a second time within ten minutes they are left alone for ten minutes."""

from msgspec import Struct

from taskfleet_operator.scaling.memory import Contest

PATIENCE_SECONDS = 600.0


class Contested(Struct, frozen=True, kw_only=True, gc=False):
    """What to remember and whether to keep the hands off now."""

    memory: Contest
    hands_off: bool


def contested(before: Contest, *, foreign_change: bool, now: float) -> Contested:
    """Judge this tick's change of the replicas by somebody else, if there was one."""
    if now < before.hands_off_until:
        return Contested(memory=before, hands_off=True)
    if not foreign_change:
        return Contested(memory=before, hands_off=False)
    again = before.last_foreign_at is not None and now - before.last_foreign_at < PATIENCE_SECONDS
    until = now + PATIENCE_SECONDS if again else before.hands_off_until
    return Contested(memory=Contest(last_foreign_at=now, hands_off_until=until), hands_off=again)
