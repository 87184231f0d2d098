"""What one worker lets itself start: its own limits per kind, on top of the fleet's quotas in the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

Kinds = Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Request:
    """The next claim: which kinds and how many tasks. A limit of 0 means no claim."""

    kinds: Kinds
    limit: int


@dataclass(frozen=True, kw_only=True)
class KindLimit:
    """What one kind may do inside this worker."""

    concurrency: int | None = None
    """Tasks running at once; None: no limit but the slots."""
    rate_limit_seconds: float = 0.0
    """Least time between two starts."""


class Admission:
    """Keeps a worker's own limits per kind exact: a claim never asks for more than its tightest kind may start.

    Lest one tight kind make every claim small, every second claim leaves out the kinds that have less room than there are free slots.
    """

    def __init__(self, kinds: Kinds, limits: Mapping[str, KindLimit]) -> None:
        self._kinds = tuple(kinds)
        self._limits = {kind: limit for kind, limit in limits.items() if limit != KindLimit()}
        self._wide_turn = False
        """Whether the next claim is for the kinds with full room only, if there are others."""
        self._running = dict.fromkeys(self._limits, 0)
        self._next_start = dict.fromkeys(self._limits, -inf)

    def taken(self, kind: str) -> None:
        """A task of this kind has a slot: it counts, though it starts a little later."""
        limit = self._limits.get(kind)
        if limit is not None:
            self._running[kind] += 1
            if limit.rate_limit_seconds:
                self._next_start[kind] = inf

    def started(self, kind: str, *, now: float) -> None:
        """A task of this kind starts; from now on somebody knows when the next one may."""
        limit = self._limits.get(kind)
        if limit is not None:
            self._next_start[kind] = now + limit.rate_limit_seconds

    def withdrawn(self, kind: str) -> None:
        """A task of this kind leaves its slot and has not started."""
        if kind in self._limits:
            self._running[kind] -= 1
            self._next_start[kind] = -inf

    def ended(self, kind: str, count: int = 1) -> None:
        """So many tasks of this kind are over."""
        if kind in self._limits:
            self._running[kind] -= count

    def request(self, *, free: int, now: float) -> Request:
        """What to claim with so many free slots.

        With kind a limited to 3 and running 1, kind b unlimited and 8 slots free: 2 tasks of a and b; the next claim 8 tasks of b.
        """
        if not self._limits:
            return Request(kinds=self._kinds, limit=free)
        rooms = {kind: self._room(kind, free, now) for kind in self._kinds}
        kinds = tuple(kind for kind, room in rooms.items() if room > 0)
        tightest = min((rooms[kind] for kind in kinds), default=0)
        wide = tuple(kind for kind in kinds if rooms[kind] >= free)
        if self._wide_turn and wide and tightest < free:
            return Request(kinds=wide, limit=free)
        return Request(kinds=kinds, limit=tightest)

    def asked(self) -> None:
        """The request was sent: the next has its turn."""
        self._wide_turn = not self._wide_turn

    def serve(self, kinds: Kinds) -> None:
        """Ask for these kinds as well from now on; without limits of this worker's own."""
        self._kinds = (*self._kinds, *(kind for kind in kinds if kind not in self._kinds))

    @property
    def limited(self) -> bool:
        """Whether this worker limits any kind."""
        return bool(self._limits)

    def covers_all(self, request: Request) -> bool:
        """Whether a request leaves out no kind."""
        return len(request.kinds) == len(self._kinds)

    def next_start(self, *, now: float) -> float | None:
        """When a kind that now waits for its rate limit may start again; None if none waits, or nobody knows yet."""
        return min((start for start in self._next_start.values() if now < start < inf), default=None)

    def _room(self, kind: str, free: int, now: float) -> int:
        limit = self._limits.get(kind)
        if limit is None:
            return free
        if self._next_start[kind] > now:
            return 0
        room = free if limit.concurrency is None else min(free, limit.concurrency - self._running[kind])
        return min(room, 1) if limit.rate_limit_seconds else room
