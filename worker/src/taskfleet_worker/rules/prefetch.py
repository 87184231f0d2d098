"""How many tasks a worker claims ahead of its free slots, so that a slot starts its next task while the outcome of its last one is written.

Three bounds, each enough by itself: no more than the worker's setting (as many as it has slots: an operator takes leases for work under
way and must not see many times what runs); no more than will start within 20 ms at the pace of late; and twice as many as last time, from
one, as long as claims are filled: a queue that runs dry is shared with others. What a quota or a rate limits is never claimed ahead.
"""

HORIZON_SECONDS = 0.02
"""A claimed task should start within this time."""
WEIGHT = 0.1
"""Of one task in the mean time a task runs: after ten slow ones it is theirs by two thirds."""


class Prefetch:
    """The bounds of one worker, from what it has seen."""

    def __init__(self, *, most: int, slots: int) -> None:
        self._most = most
        self._slots = slots
        self._mean_seconds: float | None = None
        self._step = 0
        self._limited: bool | None = None
        """None: nobody has said yet whether one of our kinds is limited."""

    def ended(self, seconds: float, count: int = 1) -> None:
        """A task, or each of so many, had its slot for so long.

        With 4 slots and tasks of 5 ms up to 16 would start in time; 64 tasks of 5 s later none would.
        """
        mean = self._mean_seconds
        self._mean_seconds = seconds if mean is None else seconds + (1.0 - WEIGHT) ** count * (mean - seconds)

    def claimed(self, *, filled: bool, limited: bool) -> None:
        """A claim returned: whether it brought all it asked for, and whether a limit took part."""
        if limited:
            self._limited = True
        self._step = max(1, 2 * self._step) if filled else 0
        self._step = min(self._step, self._most)

    def told(self, *, limited: bool) -> None:
        """The queue's policy says whether any kind of this worker, or the queue as a whole, has a limit."""
        self._limited = limited

    @property
    def size(self) -> int:
        """How many tasks may wait for a slot."""
        if self._mean_seconds is None or self._limited is not False:
            return 0
        in_time = int(self._slots * HORIZON_SECONDS / max(self._mean_seconds, 1e-6))
        return min(self._step, in_time)
