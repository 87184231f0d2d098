"""Room for running tasks: how many slots are free, how many pause."""

import heapq


class Slots:
    """The slots of a worker. A slot is free, taken by a task, or pausing after an overload answer."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.taken = 0
        self._pauses: list[float] = []

    def take(self, count: int = 1) -> None:
        """So many tasks are to start."""
        self.taken += count

    def give_back(self, count: int = 1, *, pause_until: float | None = None) -> None:
        """So many tasks ended; their slots may claim again, or one of them only after `pause_until`."""
        self.taken -= count
        if pause_until is not None:
            heapq.heappush(self._pauses, pause_until)

    def free(self, *, now: float) -> int:
        """Slots that may claim."""
        while self._pauses and self._pauses[0] <= now:
            heapq.heappop(self._pauses)
        return max(0, self.count - self.taken - len(self._pauses))

    @property
    def pausing(self) -> int:
        """Slots that pause, as of the last look at `free`."""
        return len(self._pauses)

    @property
    def next_pause_end(self) -> float | None:
        """When the next pausing slot may claim again."""
        return self._pauses[0] if self._pauses else None
