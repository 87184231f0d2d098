"""A token bucket: so many a second, and a small reserve."""


class TokenBucket:
    """Allows `rate` takes a second and at most `burst` at once. Starts full; time is an argument.

    With rate 800 and burst 40, a crowd at second 0 gets 40 and, a quarter of a second later, 40 again: what was not used is not kept.
    """

    def __init__(self, *, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._filled_at = burst, now

    def take(self, *, now: float) -> bool:
        """Take one token, if there is one."""
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
