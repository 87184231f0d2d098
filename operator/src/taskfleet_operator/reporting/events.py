"""What has happened to a TaskQueue between two ticks. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taskfleet_operator.api.conditions import ConditionReason, ConditionType, Status
from taskfleet_operator.api.events import EventReason
from taskfleet_operator.loop.facts import QueueFacts
from taskfleet_operator.status import ConditionSaid

Conditions = Mapping[ConditionType, ConditionSaid]


@dataclass(frozen=True, kw_only=True)
class EventSaid:
    """Something that happened, for people."""

    reason: EventReason
    note: str
    warning: bool = False
    action: str
    """What the operator did or tried: Scale, Observe, Validate."""


def events_between(
    before: Conditions, after: Conditions, facts: QueueFacts, *, breakers_before: Sequence[str], faults_before: bool
) -> tuple[EventSaid, ...]:
    """Give the events of one tick: changes only, so that nothing is told twice."""
    return tuple(
        event
        for event in (
            *_scaled(facts),
            _turned(before, after, ConditionType.SCALING_LIMITED, Status.TRUE, EventReason.SCALING_LIMITED),
            _database_lost(before, after),
            _database_back(before, after),
            _turned(before, after, ConditionType.GOAL_REACHABLE, Status.FALSE, EventReason.GOAL_UNREACHABLE),
            _contested(before, after),
            _spec_invalid(after, facts, faults_before=faults_before),
            *_workers(before, after),
            *_breakers(breakers_before, facts),
        )
        if event is not None
    )


def _scaled(facts: QueueFacts) -> tuple[EventSaid | None, ...]:
    if facts.decision is None or facts.scaled is None:
        return ()
    scaled = drained = None
    if facts.scaled_from is not None:
        note = f"from {facts.scaled_from} to {facts.scaled.replicas}: {facts.decision.message}"
        scaled = EventSaid(reason=EventReason.SCALED, note=note, action="Scale")
    if facts.scaled.gone:
        note = f"{', '.join(facts.scaled.gone)}: finished and told to go"
        drained = EventSaid(reason=EventReason.DRAINED, note=note, action="Scale")
    return scaled, drained


def _turned(before: Conditions, after: Conditions, kind: ConditionType, status: Status, reason: EventReason) -> EventSaid | None:
    """Give the event of a condition that came into this status."""
    was, now = before.get(kind), after[kind]
    if now.status is not status or (was is not None and was.status is status):
        return None
    return EventSaid(reason=reason, note=now.message, warning=True, action="Observe")


def _database_lost(before: Conditions, after: Conditions) -> EventSaid | None:
    return _turned(before, after, ConditionType.DATABASE_REACHABLE, Status.FALSE, EventReason.DATABASE_UNREACHABLE)


def _database_back(before: Conditions, after: Conditions) -> EventSaid | None:
    was, now = before.get(ConditionType.DATABASE_REACHABLE), after[ConditionType.DATABASE_REACHABLE]
    if was is None or was.status is not Status.FALSE or now.status is not Status.TRUE:
        return None
    return EventSaid(reason=EventReason.DATABASE_RECOVERED, note="the database answers again", action="Observe")


def _contested(before: Conditions, after: Conditions) -> EventSaid | None:
    was, now = before.get(ConditionType.DEGRADED), after[ConditionType.DEGRADED]
    contested = ConditionReason.REPLICAS_CONTESTED.value
    if now.reason != contested or (was is not None and was.reason == contested):
        return None
    return EventSaid(reason=EventReason.REPLICAS_CONTESTED, note=now.message, warning=True, action="Scale")


def _spec_invalid(after: Conditions, facts: QueueFacts, *, faults_before: bool) -> EventSaid | None:
    if not facts.known.faults or faults_before:
        return None
    return EventSaid(reason=EventReason.SPEC_INVALID, note=after[ConditionType.READY].message, warning=True, action="Validate")


def _workers(before: Conditions, after: Conditions) -> tuple[EventSaid | None, ...]:
    was, now = before.get(ConditionType.WORKERS_AVAILABLE), after[ConditionType.WORKERS_AVAILABLE]
    failing = ConditionReason.WORKERS_FAILING.value
    failed_before = was is not None and was.reason == failing
    if now.reason == failing and not failed_before:
        return (EventSaid(reason=EventReason.WORKERS_FAILING, note=now.message, warning=True, action="Scale"),)
    if failed_before and now.reason != failing:
        return (EventSaid(reason=EventReason.WORKERS_RECOVERED, note=now.message, action="Observe"),)
    return ()


def _breakers(before: Sequence[str], facts: QueueFacts) -> tuple[EventSaid, ...]:
    if facts.decision is None or facts.measurement is None:
        return ()
    now = facts.decision.kind_ceilings
    opened = [
        EventSaid(
            reason=EventReason.BREAKER_OPENED,
            note=f"nearly every attempt of kind {kind!r} fails: {now[kind]} at a time as a probe",
            warning=True,
            action="Observe",
        )
        for kind in now
        if kind not in before
    ]
    closed = [
        EventSaid(reason=EventReason.BREAKER_CLOSED, note=f"kind {kind!r} works again", action="Observe")
        for kind in before
        if kind not in now
    ]
    return (*opened, *closed)
