"""How many of a worker's next slots belong to the stale lane."""

from math import nextafter


class StaleCredit:
    """Credit of the stale lane: every claimed task adds `share`, whole slots are spent.

    With a share of 0.2 every fifth slot of a worker is offered to old tasks first, whether it claims one task at a time or ten;
    20 % of a claim of one, rounded, would be never or always.
    """

    def __init__(self, *, most: int) -> None:
        self._credit = 0.0
        # The part of a slot beyond the last whole one is kept: cut off at each claim of all slots, it would never become one.
        self._most = nextafter(most + 1.0, 0.0)

    def slots(self, *, limit: int) -> int:
        """Slots of the next claim of `limit` tasks that look for old work first."""
        return min(int(self._credit), limit)

    def claimed(self, *, brought: int, stale_slots: int, share: float) -> None:
        """Take in a claim that offered `stale_slots` and brought so many tasks; offered slots that found nothing stay credited."""
        spent = min(stale_slots, brought)
        self._credit = min(self._credit + brought * share - spent, self._most)
