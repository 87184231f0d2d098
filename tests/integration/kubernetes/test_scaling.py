"""The operator scales in a cluster: a real process, a real control plane, sessions in a real database; pods are played."""

import asyncio
import re
import signal
from pathlib import Path

import pytest

from tests.cluster.operators import Operators
from tests.cluster.waiting import until
from tests.integration.kubernetes.stage import Seen, Stage, secret, task_queue

CONDITIONS = {"Ready", "Active", "DatabaseReachable", "WorkersAvailable", "ScalingLimited", "GoalReachable", "Paused", "Degraded"}


@pytest.mark.requirement("K1", "K2")
@pytest.mark.timeout(240)
async def test_a_task_queue_gets_its_workers_from_zero_and_back(stage: Stage) -> None:
    stage.start_operator()
    await stage.apply(secret(stage.database_url), task_queue())
    queue = stage.queue()
    await queue.becomes("Ready", "True")
    idle = (await queue.look()).replicas

    async with stage.workers() as workers:
        await stage.enqueue(60)
        await queue.becomes("Active", "True", reason="WorkWaiting")
        await queue.has(lambda _: workers.done == 60)
        grown = [int(size) for event in await queue.events() for size in re.findall(r"^Scaled: .*? to (\d+)", event)]
        await queue.has(lambda seen: seen.replicas == 0 and seen.status["replicas"] == 0, within=120)
        await queue.becomes("Active", "False", reason="NoWork")

    status = (await queue.look()).status
    described = await asyncio.to_thread(stage.namespace.kubectl, "describe", "taskqueue", "work")
    assert idle == 0
    assert 1 <= max(grown) <= 5
    assert workers.killed == []
    assert {each["type"] for each in status["conditions"]} == CONDITIONS
    assert all(each["message"] and each["observedGeneration"] == status["observedGeneration"] == 1 for each in status["conditions"])
    assert status["tasks"] == {"ready": 0, "running": 0, "scheduled": 0, "failed": 0}
    assert status["decision"]["message"] in described
    assert "Scaled" in described


@pytest.mark.requirement("K2")
@pytest.mark.timeout(300)
async def test_of_twenty_busy_workers_ten_may_go_and_none_is_killed(stage: Stage) -> None:
    stage.start_operator()
    await stage.apply(secret(stage.database_url), task_queue(scaling={"minReplicas": 20, "maxReplicas": 20}))
    queue = stage.queue()

    async with stage.workers() as workers:
        workers.task_seconds = 3600
        await stage.enqueue(40)
        await queue.has(lambda _: len(workers.busy) == 20 and set(workers.busy.values()) == {2}, within=90)
        names = set(workers.busy)

        # Ten are not needed any more while all are busy and more waits: they finish what they hold, then go.
        await stage.enqueue(60)
        await stage.apply(task_queue(scaling={"maxReplicas": 10}))
        workers.task_seconds = 4
        await queue.has(lambda seen: seen.replicas == 10 and len(workers.busy) == 10, within=120)
        stayed = set(workers.busy)
        await queue.has(lambda _: workers.done == 100, within=120)

    assert workers.killed == []
    assert stayed < names


@pytest.mark.timeout(240)
async def test_an_operator_that_is_killed_and_started_again_drops_no_worker(stage: Stage) -> None:
    first = stage.start_operator()
    # Tasks this long want a slot each. Believed to be short, the last worker may be cancelled while it comes up.
    await stage.apply(secret(stage.database_url), task_queue(kinds=[{"name": "work", "expectedSeconds": 3600}]))
    queue = stage.queue()

    async with stage.workers() as workers:
        workers.task_seconds = 3600
        await stage.enqueue(10)
        await queue.has(lambda _: sum(workers.busy.values()) == 10, within=90)
        async with stage.replicas_seen() as seen:
            first.process.send(signal.SIGKILL)
            first.process.wait()
            second = stage.start_operator()
            await queue.has(lambda _: second.said("database.lead_taken"), within=60)
            decided = (await queue.look()).status["decision"]["time"]
            # It sees the fleet, decides and follows: a change of the spec is answered.
            await stage.apply(task_queue(scaling={"maxReplicas": 6}))
            await queue.has(lambda seen: seen.status["observedGeneration"] == 2 and seen.status["decision"]["time"] >= decided)
        after = await queue.look()

    assert (after.replicas or 0) >= 5
    assert all(replicas >= 5 for replicas in seen)
    assert workers.killed == []


@pytest.mark.timeout(180)
async def test_of_two_operators_one_leads_until_it_ends(stage: Stage) -> None:
    first = stage.start_operator()
    await stage.apply(secret(stage.database_url), task_queue(scaling={"minReplicas": 1}))
    queue = stage.queue()
    await queue.has(lambda seen: seen.replicas == 1)
    second = stage.start_operator()
    await queue.has(lambda _: second.said("health.listening"))
    before = second.said("lease.taken")

    first.process.send(signal.SIGTERM)
    code = await asyncio.to_thread(first.process.wait)
    await queue.has(lambda _: second.said("lease.taken"))
    await stage.apply(task_queue(scaling={"minReplicas": 2}))
    await queue.has(lambda seen: seen.replicas == 2)

    assert (code, before) == (0, [])


@pytest.mark.timeout(180)
async def test_a_leader_that_is_lost_is_replaced_within_its_lease(stage: Stage) -> None:
    first, second = stage.start_operator(), stage.start_operator()

    async def led() -> bool:
        return bool(first.said("lease.taken") or second.said("lease.taken"))

    await until(led)
    leader, standby = (first, second) if first.said("lease.taken") else (second, first)

    leader.process.send(signal.SIGKILL)
    begun = asyncio.get_running_loop().time()
    await until(lambda: _took(standby.said("lease.taken")))

    assert asyncio.get_running_loop().time() - begun >= 9  # not before the first must have stopped writing


async def _took(lines: list[dict[str, object]]) -> bool:
    return bool(lines)


async def test_a_hand_that_keeps_changing_the_replicas_is_corrected_then_reported(stage: Stage) -> None:
    stage.start_operator()
    await stage.apply(secret(stage.database_url), task_queue(scaling={"minReplicas": 1}))
    queue = stage.queue()
    seen = await queue.has(lambda seen: seen.replicas == 1)
    corrected = 0

    def settled(seen: Seen) -> bool:
        # Nor is it any longer on its way: two changes within one look of the operator's are one.
        return {seen.replicas, seen.deployment["status"].get("replicas"), seen.status.get("replicas")} == {1}

    def contested(seen: Seen) -> bool:
        return seen.condition("Degraded").get("reason") == "ReplicasContested"

    for _ in range(4):
        await asyncio.to_thread(stage.namespace.kubectl, "scale", "deployment", seen.deployment["metadata"]["name"], "--replicas=3")
        seen = await queue.has(lambda seen: settled(seen) or contested(seen))
        if contested(seen):
            break
        corrected += 1

    assert contested(seen)
    assert corrected >= 1


def test_an_operator_without_a_cluster_says_what_to_set(operators: Operators, tmp_path: Path) -> None:
    alone = operators.start(KUBECONFIG=str(tmp_path / "nowhere"))

    code = alone.process.wait()

    assert code == 1
    assert "set KUBECONFIG" in alone.process.output
