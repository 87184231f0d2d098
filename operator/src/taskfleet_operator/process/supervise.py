"""Loops that cannot die silently: what they raise is logged and counted, they start again with backoff, and liveness sees them."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final, Protocol

from taskfleet.backoff import jittered
from taskfleet.errors import DatabaseUnreachableError, TaskfleetError
from taskfleet_operator.errors import ClusterUnreachableError, OperatorError

FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 30.0

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Pulse:
    """The last sign of life of one loop."""

    name: str
    limit_seconds: float
    """Silence longer than this means that the loop is stuck or keeps failing."""
    clock: Callable[[], float] = time.monotonic
    beaten_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.beat()

    def beat(self) -> None:
        """Say that the loop has just done its work."""
        self.beaten_at = self.clock()

    @property
    def silent_seconds(self) -> float:
        """Seconds since the last beat."""
        return self.clock() - self.beaten_at


class Vitals:
    """The pulses of all loops of the process, and whether it has started."""

    def __init__(self) -> None:
        self._pulses: dict[str, Pulse] = {}
        self._followed: dict[str, tuple[Callable[[], float], float]] = {}
        self.started = False
        """True once the first pass is through: what /readyz tells, for leader and standby alike."""

    def pulse(self, name: str, *, limit_seconds: float) -> Pulse:
        """Give a loop its pulse; the same name replaces the one before."""
        made = self._pulses[name] = Pulse(name=name, limit_seconds=limit_seconds)
        return made

    def follow(self, name: str, silent_seconds: Callable[[], float], *, limit_seconds: float) -> None:
        """Watch a loop that keeps its own time."""
        self._followed[name] = (silent_seconds, limit_seconds)

    def forget(self, name: str) -> None:
        """Drop the pulse of a loop that ended on purpose."""
        self._pulses.pop(name, None)

    def stale(self) -> tuple[str, ...]:
        """Say which loops have been silent for too long, in sentences; empty: the process lives."""
        silences = {name: (pulse.silent_seconds, pulse.limit_seconds) for name, pulse in self._pulses.items()}
        silences |= {name: (silent_seconds(), limit) for name, (silent_seconds, limit) in self._followed.items()}
        return tuple(
            f"{name} was last heard of {silent:.0f} s ago, limit {limit:.0f} s"
            for name, (silent, limit) in silences.items()
            if silent > limit
        )


class FailureCounter(Protocol):
    """Counts the failures of a loop, for the metrics."""

    def loop_failed(self, name: str) -> None:
        """Count one."""
        ...


async def supervise(
    name: str,
    work: Callable[[Pulse], Awaitable[None]],
    *,
    vitals: Vitals,
    limit_seconds: float,
    failures: FailureCounter,
    random: Random | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Run a loop until it returns; when it raises, log, count, wait (exponential, jittered) and run it again.

    `work` beats its pulse once a round. A cancellation passes through and ends the loop.
    """
    random = random or Random()
    pulse = vitals.pulse(name, limit_seconds=limit_seconds)
    in_a_row = 0
    while True:
        before = pulse.beaten_at
        try:
            await work(pulse)
        except Exception as error:  # noqa: BLE001 - the edge of a loop
            in_a_row = 1 if pulse.beaten_at > before else in_a_row + 1
            pause = jittered(min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (in_a_row - 1)), random=random)
            failures.loop_failed(name)
            # What is away comes back by itself: a restart of the API server is no fault of the operator's.
            away = isinstance(error, ClusterUnreachableError | DatabaseUnreachableError)
            _log.log(
                logging.WARNING if away else logging.ERROR,
                "loop.interrupted" if away else "loop.failed",
                extra={"loop": name, "error": str(error), "in_a_row": in_a_row, "again_in_seconds": round(pause, 2)},
                # An error on purpose says all in its message; of any other the place matters too.
                exc_info=not isinstance(error, OperatorError | TaskfleetError),
            )
            await sleep(pause)
        else:
            vitals.forget(name)
            return
