"""Leader election over a Kubernetes Lease: of several operators one writes, and it stops writing before another may start.

`next_step` is the whole decision and pure; `Leadership` does what it says. Only monotonic time counts: how long ago *we* saw the lease
change, never the clock of another machine. A lease does not fence: /scale writes carry a resourceVersion, and databases an epoch.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Protocol

from taskfleet_operator.errors import ClusterError, LeadershipLostError, ObjectConflictError
from taskfleet_operator.objects import LeaseSeen, ObjectKey

logger = logging.getLogger(__name__)


class LeaseStore(Protocol):
    """Where the lease is kept."""

    async def lease(self, key: ObjectKey, /) -> LeaseSeen | None:
        """Read the lease; None where there is none."""
        ...

    async def write_lease(self, key: ObjectKey, lease: LeaseSeen, /) -> LeaseSeen:
        """Write it over the version it names; ObjectConflictError when somebody else was first."""
        ...


@dataclass(frozen=True, kw_only=True)
class LeaseTimes:
    """How long things may take, in seconds. Each must be shorter than the next."""

    request: float = 2.0
    """One request; shorter than the renewal, so that a silent API server costs one renewal and not all."""
    renew: float = 3.0
    """Between two renewals, and between two looks of who waits."""
    write_until: float = 10.0
    """After the last renewal that succeeded: from then on nothing is written."""
    duration: float = 15.0
    """Others take the lease when they have not seen it change for this long."""

    def __post_init__(self) -> None:
        if not 0 < self.request < self.renew < self.write_until < self.duration:
            message = f"lease times must grow: request {self.request:g} < renew {self.renew:g} < {self.write_until:g} < {self.duration:g} s"
            raise ValueError(message)


class Step(Enum):
    """What to do about a lease."""

    TAKE = auto()
    """It is free: never made, released, or not renewed for its whole duration."""
    RENEW = auto()
    """It is ours."""
    WAIT = auto()
    """Somebody else holds it."""
    YIELD = auto()
    """We led, and somebody else holds it: end this process, a new one waits its turn."""


def next_step(lease: LeaseSeen | None, *, identity: str, led: bool, unchanged_seconds: float) -> Step:
    """Decide from the lease as it stands and how long it has not changed before our eyes."""
    if lease is None or lease.holder is None:
        return Step.TAKE
    if lease.holder == identity:
        return Step.RENEW
    if led:
        return Step.YIELD
    return Step.TAKE if unchanged_seconds >= lease.duration_seconds else Step.WAIT


class Leadership:
    """This process's part in the election. Ask `leading` before every write."""

    def __init__(
        self,
        store: LeaseStore,
        *,
        key: ObjectKey,
        identity: str,
        times: LeaseTimes | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.identity = identity
        self.times = times or LeaseTimes()
        self._store = store
        self._key = key
        self._clock = clock
        self._lease: LeaseSeen | None = None
        self._changed_at = clock()
        self._renewed_at: float | None = None
        self._looked_at = clock()
        self._certain = False
        """False: a write may or may not have arrived, so the version we know is not to be built on."""
        self._led = asyncio.Event()

    @property
    def leading(self) -> bool:
        """Whether this process may write now. Counts from before the last good renewal was sent, so it ends here first."""
        return self._renewed_at is not None and self._clock() - self._renewed_at < self.times.write_until

    @property
    def silent_seconds(self) -> float:
        """Since the election loop last came round, whatever the API server said: a liveness probe fails when this is long."""
        return self._clock() - self._looked_at

    async def wait_for_lead(self) -> None:
        """Return when this process has taken the lead for the first time."""
        await self._led.wait()

    async def run(self, stop: asyncio.Event) -> None:
        """Take part until `stop`, then release the lease.

        Raises LeadershipLostError when this process has led and another holds the lease now.
        """
        while not stop.is_set():
            await self.take_part()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self.times.renew * random.uniform(0.8, 1.0))
        await self.release()

    async def take_part(self) -> None:
        """Look once, and renew or take the lease where that is due. An API server that does not answer changes nothing."""
        self._looked_at = self._clock()
        try:
            async with asyncio.timeout(self.times.request):
                if not (self.leading and self._certain):
                    self._see(await self._store.lease(self._key))
            match self._step():
                case Step.TAKE | Step.RENEW:
                    async with asyncio.timeout(self.times.request):
                        await self._write()
                case Step.YIELD:
                    raise LeadershipLostError(self._lease.holder if self._lease else None)
                case Step.WAIT:
                    pass
        except ObjectConflictError:
            self._renewed_at, self._certain = None, False  # somebody else wrote: nothing more from us until we know who
        except (ClusterError, TimeoutError) as error:
            self._certain = False
            logger.warning("lease.unreachable", extra={"lease": str(self._key), "leading": self.leading, "error": str(error)})

    async def release(self) -> None:
        """Let the next operator take over at once; without an answer in time it takes over when the lease runs out."""
        if self._lease is None or self._lease.holder != self.identity:
            return
        self._renewed_at = None
        with suppress(ClusterError, TimeoutError):
            async with asyncio.timeout(self.times.request):
                await self._store.write_lease(self._key, replace(self._lease, holder=None))

    def _step(self) -> Step:
        unchanged = self._clock() - self._changed_at
        return next_step(self._lease, identity=self.identity, led=self._led.is_set(), unchanged_seconds=unchanged)

    def _see(self, lease: LeaseSeen | None) -> None:
        if lease != self._lease:
            self._lease, self._changed_at = lease, self._clock()

    async def _write(self) -> None:
        sent_at = self._clock()
        seen = self._lease or LeaseSeen(holder=None, duration_seconds=self.times.duration, transitions=-1)
        ours = seen.holder == self.identity
        wanted = replace(
            seen,
            holder=self.identity,
            duration_seconds=self.times.duration,
            transitions=seen.transitions if ours else seen.transitions + 1,
        )
        self._see(await self._store.write_lease(self._key, wanted))
        self._renewed_at, self._certain = sent_at, True
        if not ours:
            logger.info("lease.taken", extra={"lease": str(self._key), "identity": self.identity})
        self._led.set()
