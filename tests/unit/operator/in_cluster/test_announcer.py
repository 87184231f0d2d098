import asyncio
from collections.abc import AsyncIterator, Mapping
from unittest.mock import patch

import pytest

from taskfleet_operator.api.events import EventReason
from taskfleet_operator.errors import ClusterUnreachableError, ObjectMissingError
from taskfleet_operator.in_cluster import announcer as announcer_module
from taskfleet_operator.in_cluster.announcer import MOST_EVENTS, ClusterAnnouncer
from taskfleet_operator.objects import EventNote, EventType, ObjectKey
from taskfleet_operator.process.supervise import Pulse
from taskfleet_operator.reporting.events import EventSaid
from tests.support.waiting import eventually
from tests.unit.operator.facts import known

SCALED = EventSaid(reason=EventReason.SCALED, note="from 1 to 2", action="Scale")
WARNED = EventSaid(reason=EventReason.SPEC_INVALID, note="wrong", action="Validate", warning=True)


class Cluster:
    def __init__(self) -> None:
        self.events: list[EventNote] = []
        self.statuses: list[tuple[str, object]] = []
        self.errors: list[Exception] = []

    async def record_event(self, event: EventNote) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.events.append(event)

    async def apply_status(self, key: ObjectKey, status: Mapping[str, object]) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.statuses.append((str(key), status["replicas"]))


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
async def announcer(cluster: Cluster) -> AsyncIterator[ClusterAnnouncer]:
    made = ClusterAnnouncer(cluster, leading=lambda: True)
    with patch.object(announcer_module, "AGAIN_SECONDS", 0.01):
        task = asyncio.create_task(made.run(Pulse(name="announcer", limit_seconds=1)))
        yield made
        task.cancel()
        await asyncio.wait({task})


async def test_events_are_written_in_order(cluster: Cluster, announcer: ClusterAnnouncer) -> None:
    announcer.event(known(), SCALED)
    announcer.event(known(), WARNED)
    await eventually(lambda: len(cluster.events) == 2)

    assert [(str(each.key), each.uid, each.type, each.reason, each.action, each.note) for each in cluster.events] == [
        ("media/episodes", "u", EventType.NORMAL, "Scaled", "Scale", "from 1 to 2"),
        ("media/episodes", "u", EventType.WARNING, "SpecInvalid", "Validate", "wrong"),
    ]


async def test_newest_status_counts(cluster: Cluster, announcer: ClusterAnnouncer) -> None:
    announcer.status(known(), {"replicas": 1})
    announcer.status(known(), {"replicas": 2})
    announcer.status(known("other"), {"replicas": 3})
    await eventually(lambda: len(cluster.statuses) == 2)

    assert sorted(cluster.statuses) == [("media/episodes", 2), ("media/other", 3)]


async def test_what_the_api_server_did_not_take_is_tried_again(cluster: Cluster, announcer: ClusterAnnouncer) -> None:
    cluster.errors = [ClusterUnreachableError("away"), ClusterUnreachableError("away")]
    announcer.status(known(), {"replicas": 1})
    announcer.event(known(), SCALED)
    announcer.event(known(), WARNED)
    await eventually(lambda: len(cluster.events) == 2 and cluster.statuses)

    assert cluster.statuses == [("media/episodes", 1)]
    assert [each.reason for each in cluster.events] == ["Scaled", "SpecInvalid"]


async def test_nobody_is_told_of_what_is_deleted(cluster: Cluster, announcer: ClusterAnnouncer) -> None:
    cluster.errors = [ObjectMissingError("gone"), ObjectMissingError("gone")]
    announcer.status(known(), {"replicas": 1})
    announcer.event(known(), SCALED)
    announcer.event(known(), WARNED)
    await eventually(lambda: cluster.events)

    assert (cluster.statuses, [each.reason for each in cluster.events]) == ([], ["SpecInvalid"])


async def test_operator_that_does_not_lead_writes_nothing_until_it_does(cluster: Cluster) -> None:
    leads = [False]
    made = ClusterAnnouncer(cluster, leading=lambda: leads[0])
    made.event(known(), SCALED)
    pulse = Pulse(name="announcer", limit_seconds=1)
    before = pulse.beaten_at
    with patch.object(announcer_module, "AGAIN_SECONDS", 0.01):
        task = asyncio.create_task(made.run(pulse))
        await eventually(lambda: pulse.beaten_at > before)
        silent = list(cluster.events)
        leads[0] = True
        await eventually(lambda: cluster.events)
        task.cancel()
        await asyncio.wait({task})

    assert silent == []


async def test_oldest_events_are_dropped_when_too_many_wait(cluster: Cluster) -> None:
    made = ClusterAnnouncer(cluster, leading=lambda: True)
    for number in range(MOST_EVENTS + 5):
        made.event(known(), EventSaid(reason=EventReason.SCALED, note=str(number), action="Scale"))
    task = asyncio.create_task(made.run(Pulse(name="announcer", limit_seconds=1)))
    await eventually(lambda: len(cluster.events) == MOST_EVENTS)
    task.cancel()
    await asyncio.wait({task})

    assert cluster.events[0].note == "5"


async def test_idle_announcer_shows_that_it_lives(cluster: Cluster) -> None:
    pulse = Pulse(name="announcer", limit_seconds=1)
    before = pulse.beaten_at
    with patch.object(announcer_module, "IDLE_SECONDS", 0.01):
        task = asyncio.create_task(ClusterAnnouncer(cluster, leading=lambda: True).run(pulse))
        await eventually(lambda: pulse.beaten_at > before)
        task.cancel()
        await asyncio.wait({task})
