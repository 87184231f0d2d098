"""The lowest value of the last seconds, kept small: an increasing queue of samples instead of all of them.

A sample that a later one undercuts can never again be the lowest of a window that ends now, so it is dropped
(the monotonic queue of sliding-window minimum). For the highest value keep the negatives.
"""

from msgspec import Struct
from msgspec.structs import replace


class RecentLow(Struct, frozen=True, kw_only=True, gc=False):
    """Samples, oldest first and rising, and since when there have been samples without a gap."""

    since: float | None = None
    samples: tuple[tuple[float, float], ...] = ()
    """Pairs of time and value."""

    def seen(self, value: float, *, at: float, keep_seconds: float, gap_seconds: float) -> "RecentLow":
        """With one more sample. After a gap longer than `gap_seconds` the window starts anew: nobody saw what happened in it."""
        if self.since is None or (self.samples and at - self.samples[-1][0] > gap_seconds):
            return RecentLow(since=at, samples=((at, value),))
        cut = at - keep_seconds
        kept = [sample for sample in self.samples if sample[1] < value and sample[0] >= cut]
        return RecentLow(since=self.since, samples=(*kept, (at, value)))

    def low(self, seconds: float, *, now: float) -> float | None:
        """The lowest value of the last `seconds`; None while the samples do not reach back that far."""
        if self.since is None or now - self.since < seconds:
            return None
        start = now - seconds
        for at, value in self.samples:
            if at >= start:
                return value
        return None

    def lowered(self, amount: float) -> "RecentLow":
        """The samples as they would have been with `amount` less all the time, at least 0."""
        if not amount:
            return self
        shifted = tuple((at, max(0.0, value - amount)) for at, value in self.samples)
        return replace(self, samples=shifted)
