"""The worker's own numbers, as plain as can be: an observation costs less than a microsecond and loads nothing.

`exposition.py` turns them into Prometheus' format when somebody looks; prometheus-client is loaded only then.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from taskfleet.words import Outcome

DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
WAIT_BUCKETS = (0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0, 259_200.0)
MOST_KINDS = 200
"""Kinds with their own label value; those beyond are `other`, so that no worker floods a Prometheus."""


class Histogram:
    """Counts by upper bound, and the sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """Not cumulative; the last is everything beyond the highest bound."""
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def observe_all(self, values: Iterable[float]) -> None:
        """Count many values: sorted, they are counted a bucket at a time."""
        ordered, below = sorted(values), 0
        self.total += sum(ordered)
        for index, bound in enumerate(self.bounds):
            if below == len(ordered):
                return
            upto = bisect_right(ordered, bound, below)
            self.counts[index] += upto - below
            below = upto
        self.counts[-1] += len(ordered) - below


class Counter:
    """Counts by one label."""

    def __init__(self, label: str) -> None:
        self.label = label
        self._counts: dict[str, int] = {}

    def add(self, value: str, count: int = 1) -> None:
        """Count one event, or `count` of them."""
        if count:
            self._counts[value] = self._counts.get(value, 0) + count

    @property
    def counts(self) -> Mapping[str, int]:
        """The counts by label value."""
        return self._counts


class WorkerMetrics:
    """All numbers of one worker process."""

    def __init__(self, *, queue: str, kinds: Sequence[str]) -> None:
        self.queue = queue
        self._labels = dict(zip(kinds[:MOST_KINDS], kinds[:MOST_KINDS], strict=True))
        self.durations: dict[tuple[str, Outcome], Histogram] = {}
        """Time that handlers ran, by kind and outcome."""
        self.waits: dict[str, Histogram] = {}
        """Time from run_at to claim, by kind."""
        self.claims = Counter("result")
        """Claims by verdict."""
        self.leases_lost = Counter("kind")
        self.short_circuited = Counter("kind")
        """Tasks failed without running, since their entity is known to be missing."""
        self.overload_pauses = Counter("kind")
        """Pauses of a slot after an overload answer."""
        self.loop_blocked = Counter("kind")
        """Times that a handler kept the event loop from running."""
        self.loop_failures = Counter("loop")
        """Failures of background loops; each was restarted."""

    def observe_waits(self, waits: Iterable[tuple[str, float]]) -> None:
        """Count the waits of claimed tasks, by kind."""
        for kind, seconds in _by_kind(waits).items():
            self.wait(kind).observe_all(seconds)

    def observe_successes(self, durations: Iterable[tuple[str, float]]) -> None:
        """Count the run times of tasks that succeeded, by kind."""
        for kind, seconds in _by_kind(durations).items():
            self.duration(kind, Outcome.SUCCEEDED).observe_all(seconds)

    def duration(self, kind: str, outcome: Outcome) -> Histogram:
        """The histogram of run times of a kind by outcome."""
        key = (self._labels.get(kind, "other"), outcome)
        found = self.durations.get(key)
        if found is None:
            found = self.durations[key] = Histogram(DURATION_BUCKETS)
        return found

    def wait(self, kind: str) -> Histogram:
        """The histogram of waits of a kind."""
        label = self._labels.get(kind, "other")
        found = self.waits.get(label)
        if found is None:
            found = self.waits[label] = Histogram(WAIT_BUCKETS)
        return found


def _by_kind(observed: Iterable[tuple[str, float]]) -> Mapping[str, Sequence[float]]:
    found: defaultdict[str, list[float]] = defaultdict(list)
    for kind, seconds in observed:
        found[kind].append(seconds)
    return found
