"""Decides what of a tick is new to whom: conditions that changed, events, and the status when it is due."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final, Protocol

from taskfleet_operator.api.conditions import HEALTHY, ConditionType
from taskfleet_operator.api.task_queue import QueueKey
from taskfleet_operator.loop.facts import QueueFacts
from taskfleet_operator.loop.known import KnownQueue
from taskfleet_operator.reporting.events import EventSaid, events_between
from taskfleet_operator.reporting.metrics import FleetMetrics
from taskfleet_operator.settings import OperatorSettings
from taskfleet_operator.status import ConditionSaid, conditions_of, status_of

JITTER: Final = 0.2
_log = logging.getLogger(__name__)


class Announcer(Protocol):
    """Who is told beside the log and the metrics. Must not wait: slow listeners queue what they are told."""

    def event(self, known: KnownQueue, event: EventSaid) -> None:
        """Take in an event."""
        ...

    def status(self, known: KnownQueue, status: dict[str, object]) -> None:
        """Take in the whole status; only the newest counts."""
        ...


class Nobody:
    """Locally the log is enough."""

    def event(self, known: KnownQueue, event: EventSaid) -> None:
        """Tell nobody."""

    def status(self, known: KnownQueue, status: dict[str, object]) -> None:
        """Tell nobody."""


@dataclass(kw_only=True)
class _Told:
    """What was told of one queue."""

    conditions: dict[ConditionType, ConditionSaid] = field(default_factory=dict)
    breakers: tuple[str, ...] = ()
    faults: bool = False
    reason: str | None = None
    decided_at: float | None = None
    scaled_at: float | None = None
    signature: tuple[object, ...] | None = None
    status_at: float = float("-inf")
    status_every: float = 0.0


class FleetReporter:
    """Tells what is new after each tick: nothing twice, and numbers only now and then."""

    def __init__(
        self,
        metrics: FleetMetrics,
        announcer: Announcer | None = None,
        *,
        clock: Callable[[], float] = time.time,
        random: Random | None = None,
    ) -> None:
        self._metrics, self._announcer = metrics, announcer or Nobody()
        self._clock, self._random = clock, random or Random()
        self._told: dict[QueueKey, _Told] = {}

    async def report(self, facts: Sequence[QueueFacts], *, settings: OperatorSettings) -> None:
        """Tell what is new of every queue."""
        for key in set(self._told) - {each.known.key for each in facts}:
            del self._told[key]
        for each in facts:
            self._tell(each, settings)
        self._metrics.show(facts)

    def _tell(self, facts: QueueFacts, settings: OperatorSettings) -> None:
        now, told = self._clock(), self._told.setdefault(facts.known.key, _Told())
        conditions = {said.type: self._dated(said, told, now) for said in conditions_of(facts)}
        events = events_between(told.conditions, conditions, facts, breakers_before=told.breakers, faults_before=told.faults)
        for event in events:
            _log.log(
                logging.WARNING if event.warning else logging.INFO,
                "queue.event",
                extra={"task_queue": str(facts.known.key), "reason": event.reason.value, "note": event.note},
            )
            self._announcer.event(facts.known, event)
        self._log_conditions(facts, told, conditions)
        if facts.decision is not None and facts.decision.reason != told.reason:
            told.reason, told.decided_at = facts.decision.reason, now
        if facts.scaled_from is not None:
            told.scaled_at = told.decided_at = now
        told.conditions, told.faults = conditions, bool(facts.known.faults)
        if facts.decision is not None and facts.measurement is not None:
            told.breakers = tuple(facts.decision.kind_ceilings)
        self._write_status(facts, told, settings, now)

    def _dated(self, said: ConditionSaid, told: _Told, now: float) -> ConditionSaid:
        before = told.conditions.get(said.type)
        return replace(said, since=before.since if before is not None and before.status is said.status else now)

    def _log_conditions(self, facts: QueueFacts, told: _Told, conditions: dict[ConditionType, ConditionSaid]) -> None:
        """Log a change of status or reason; on the first visit whether it is ready, and what else is not well."""
        for kind, said in conditions.items():
            before = told.conditions.get(kind)
            well = said.status is HEALTHY.get(kind, said.status) and kind is not ConditionType.READY
            if (before is None and well) or (before is not None and (before.status, before.reason) == (said.status, said.reason)):
                continue
            _log.info(
                "condition.changed",
                extra={
                    "task_queue": str(facts.known.key),
                    "condition": kind.value,
                    "status": said.status.value,
                    "reason": said.reason,
                    "note": said.message,
                },
            )

    def _write_status(self, facts: QueueFacts, told: _Told, settings: OperatorSettings, now: float) -> None:
        """Give the status to whoever listens: at once when its words change, and the numbers at most every status_seconds."""
        signature = (
            *((said.type, said.status, said.reason) for said in told.conditions.values()),
            told.reason,
            told.scaled_at,
            facts.fleet.held if facts.fleet else None,
            facts.known.generation,
            facts.known.uid,
        )
        if signature == told.signature and now - told.status_at < told.status_every:
            return
        told.signature, told.status_at = signature, now
        told.status_every = settings.status_seconds * self._random.uniform(1 - JITTER, 1 + JITTER)
        status = status_of(facts, tuple(told.conditions.values()), decided_at=told.decided_at, scaled_at=told.scaled_at)
        self._announcer.status(facts.known, status)
