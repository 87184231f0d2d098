"""What a producer knows of its queue: ids of kinds, limits, and how much room is left. Pure state, no I/O, time is an argument."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf

from taskfleet.errors import QueueFullError

_log = logging.getLogger("taskfleet.producer")

LOOK_SECONDS = 1.0
"""How old a look at the queue may be before the next task asks for a new one."""
ROOM_SHARE = 10
"""A look also ends when this producer has used up a tenth of the room it saw: near the limit every task is counted."""


class Level(StrEnum):
    """How long a queue is, by its policy; a change is logged as queue.normal, queue.long or queue.full."""

    NORMAL = "normal"
    LONG = "long"
    FULL = "full"


@dataclass(frozen=True, kw_only=True)
class Look:
    """One row of find_kinds.sql."""

    kinds: Sequence[str]
    kind_ids: Sequence[int]
    length: int
    max_length: int | None
    warn_length: int | None
    max_payload_bytes: int

    @property
    def ids(self) -> Mapping[str, int]:
        """Ids of the kinds that exist."""
        return dict(zip(self.kinds, self.kind_ids, strict=True))


class KnownQueue:
    """Ids and room of one queue, as last seen; threads and tasks may share it.

    The length is not locked: n producers together may pass the limit by n tenths of the room that was left, never by more.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._kind_ids: Mapping[str, int] = {}
        self._look: Look | None = None
        self._looked_at = -inf
        self._added = 0
        self._level = Level.NORMAL

    def learn(self, look: Look, *, now: float) -> None:
        """Take in a look; logs once when the queue has crossed a bound of its length."""
        # A new mapping each time: whoever reads the old one meanwhile is not disturbed.
        self._kind_ids = {**self._kind_ids, **look.ids}
        self._look, self._looked_at, self._added = look, now, 0
        self._tell_about_length(look)

    def forget(self) -> None:
        """Trust nothing that was seen: it may have been rolled back."""
        self._kind_ids = {}
        self._looked_at = -inf

    def must_look(self, *, adding: int, now: float) -> bool:
        """Whether the queue must be looked at before so many tasks may be added."""
        if self._look is None or now - self._looked_at > LOOK_SECONDS:
            return True
        return self._added + adding > self._room_seen(self._look) / ROOM_SHARE

    def ids_of(self, kinds: Collection[str]) -> Mapping[str, int] | None:
        """The ids of the kinds; None when one of them is not known."""
        known = self._kind_ids
        return {kind: known[kind] for kind in kinds} if known.keys() >= set(kinds) else None

    @property
    def max_payload_bytes(self) -> int:
        """How large a payload may be as JSON."""
        assert self._look is not None
        return self._look.max_payload_bytes

    def require_room(self, adding: int) -> None:
        """Raise QueueFullError unless that many more tasks fit."""
        assert self._look is not None
        length, limit = self._look.length + self._added, self._look.max_length
        if limit is not None and length + adding > limit:
            raise QueueFullError(queue=self.name, length=length, limit=limit, adding=adding)

    def count(self, added: int) -> None:
        """Remember tasks that this producer has added since the look."""
        self._added += added

    def _room_seen(self, look: Look) -> float:
        """Tasks that fitted below the next bound when we looked."""
        rooms = [] if look.max_length is None else [look.max_length - look.length]
        if look.warn_length is not None and look.length < look.warn_length:
            rooms.append(look.warn_length - look.length)
        return min(rooms, default=inf)

    def _tell_about_length(self, look: Look) -> None:
        level = _level(look)
        if level is not self._level:
            self._level = level
            fields = {"queue": self.name, "length": look.length, "warn_length": look.warn_length, "max_length": look.max_length}
            _log.log(logging.INFO if level is Level.NORMAL else logging.WARNING, f"queue.{level}", extra=fields)


def _level(look: Look) -> Level:
    if look.max_length is not None and look.length >= look.max_length:
        return Level.FULL
    return Level.LONG if look.warn_length is not None and look.length >= look.warn_length else Level.NORMAL
