"""What a task talks to while it runs: how long an attempt takes and how it ends."""

from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Protocol

from taskfleet_operator.simulation.tasks import SimulatedTask


class End(Enum):
    """How an attempt ends."""

    DONE = "done"
    GONE = "gone"
    """For good: the source does not exist."""
    FAULTY = "faulty"
    """It failed in a way that may heal; the task is tried again."""
    OVERLOADED = "overloaded"
    """The downstream refused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One attempt at a task."""

    seconds: float
    end: End


class Downstream(Protocol):
    """Answers attempts, given the time and how many run with it."""

    def attempt(self, task: SimulatedTask, *, now: float, running: int) -> Attempt:
        """How this attempt will go."""
        ...


class Healthy:
    """Never refuses and never slows down."""

    def attempt(self, task: SimulatedTask, *, now: float, running: int) -> Attempt:
        """The task's own time."""
        del now, running
        return Attempt(seconds=task.service, end=End.GONE if task.gone else End.DONE)


class Flaky:
    """A share of the attempts fails halfway, by chance."""

    def __init__(self, random: Random, *, faulty_share: float) -> None:
        self._random = random
        self._faulty_share = faulty_share

    def attempt(self, task: SimulatedTask, *, now: float, running: int) -> Attempt:
        """The task's own time, or half of it."""
        del now, running
        if self._random.random() < self._faulty_share:
            return Attempt(seconds=task.service / 2, end=End.FAULTY)
        return Attempt(seconds=task.service, end=End.GONE if task.gone else End.DONE)


class TokenBucket:
    """Allows so many calls a second and refuses the rest, at a price."""

    def __init__(self, *, per_second: float, burst: float, refusal_cost: float = 0.0, refusal_seconds: float = 0.01) -> None:
        self._rate = per_second
        self._burst = burst
        self._refusal_cost = refusal_cost
        """Tokens that a refused call costs all the same."""
        self._refusal_seconds = refusal_seconds
        self._tokens = burst
        self._at = 0.0

    def attempt(self, task: SimulatedTask, *, now: float, running: int) -> Attempt:
        """Take a token, or be refused."""
        del running
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            self._tokens = max(0.0, self._tokens - self._refusal_cost)
            return Attempt(seconds=self._refusal_seconds, end=End.OVERLOADED)
        self._tokens -= 1
        return Attempt(seconds=task.service, end=End.GONE if task.gone else End.DONE)


class Saturating:
    """Slows down without a word: beyond `capacity` running tasks each takes longer in proportion."""

    def __init__(self, *, capacity: int) -> None:
        self._capacity = capacity

    def attempt(self, task: SimulatedTask, *, now: float, running: int) -> Attempt:
        """The task's time, stretched."""
        del now
        return Attempt(seconds=task.service * max(1.0, running / self._capacity), end=End.DONE)
