"""All queues of one tick through the scaling law: those that were seen under the global cap, the others as onDatabaseError says. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from taskfleet_operator.api.conditions import ConditionReason
from taskfleet_operator.api.convert import scaling_policy
from taskfleet_operator.api.task_queue import QueueKey, TaskQueue
from taskfleet_operator.databases.link import QueueSight
from taskfleet_operator.loop.fleet import FleetState
from taskfleet_operator.loop.known import KnownQueue
from taskfleet_operator.loop.observe import observation_of
from taskfleet_operator.scaling import Decided, Decision, Memory, QueueCase, decide_blind, decide_fleet
from taskfleet_operator.trouble import Trouble

NOT_OURS: Final = frozenset({ConditionReason.QUEUE_CONFLICT, ConditionReason.QUEUE_HELD})
"""Somebody else scales the queue: nothing is decided for it."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What both sides say of one followed queue, and what is remembered of it."""

    known: KnownQueue
    task_queue: TaskQueue
    sight: QueueSight
    fleet: FleetState | None = None
    target_trouble: Trouble | None = None
    """Why the fleet is not known."""
    memory: Memory = field(default_factory=Memory)
    told: frozenset[str] = frozenset()
    """Pods whose start-up time the law was told."""
    blind_ticks: int = 0
    """Looks that failed in a row, this one included."""

    @property
    def key(self) -> QueueKey:
        """Which TaskQueue."""
        return self.known.key

    @property
    def ours(self) -> bool:
        """False while somebody else scales this queue."""
        return self.sight.trouble is None or self.sight.trouble.reason not in NOT_OURS


def decide_all(seen: Sequence[Seen], *, tick_seconds: float, global_max_replicas: int, now: float) -> Mapping[QueueKey, Decided]:
    """Decide every queue that is ours and whose fleet is known. What unseen queues hold is taken off the cap of the others."""
    decided: dict[QueueKey, Decided] = {}
    cases: dict[QueueKey, QueueCase] = {}
    held_unseen = 0
    for each in seen:
        if each.fleet is None:
            continue
        policy = scaling_policy(each.task_queue, tick_seconds=tick_seconds)
        if each.sight.measurement is not None:
            observation = observation_of(each.key, each.sight.measurement, each.fleet, told=each.told)
            cases[each.key] = QueueCase(observation=observation, policy=policy, memory=each.memory)
            continue
        held_unseen += max(each.fleet.held, each.fleet.replicas)
        if each.sight.trouble is not None and each.ours:
            blind: Decision = decide_blind(
                policy, replicas=each.fleet.replicas, failures=each.blind_ticks, error=each.sight.trouble.message
            )
            decided[each.key] = Decided(decision=blind, memory=each.memory)
    answers = decide_fleet(tuple(cases.values()), global_max_replicas=max(0, global_max_replicas - held_unseen), now=now)
    return decided | dict(zip(cases, answers, strict=True))
