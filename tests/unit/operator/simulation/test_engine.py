"""Small cases, worked out by hand."""

from random import Random
from uuid import UUID

import pytest

from taskfleet_operator.scaling import KindLimits, ScalingPolicy
from taskfleet_operator.simulation.controllers import Fixed, Law, Orders
from taskfleet_operator.simulation.downstream import Flaky, Saturating, TokenBucket
from taskfleet_operator.simulation.engine import Simulation
from taskfleet_operator.simulation.tasks import PLAIN_QUEUE, Manners
from tests.unit.operator.simulation.stage import Script, load, replicas, rounded, task


def test_a_pod_starts_then_works_through_the_queue() -> None:
    result = Simulation(load(task(0, 5), task(0, 5), task(1, 5)), replicas((0, 1), (25, 0))).run()

    assert rounded(result.waits) == [10, 15, 19]
    assert result.pod_seconds == 25
    assert (result.done, result.calls, result.actions, result.most_pods, result.seconds) == (3, 3, 2, 1, 25)
    assert (result.wait(50), result.wait(99), result.late_percent, result.calls_per_task) == (15, 19, 0, 1)


def test_slots_of_a_pod_work_side_by_side() -> None:
    result = Simulation(load(task(0, 5), task(0, 5), task(0, 5), slots=2), replicas((0, 1), (20, 0))).run()

    assert rounded(result.waits) == [10, 10, 15]


def test_a_task_that_starts_after_the_goal_is_late() -> None:
    result = Simulation(load(task(0, 5), task(0, 5), goal=12), replicas((0, 1), (20, 0))).run()

    assert result.late_percent == 50


def test_the_claim_ceiling_holds_back_pods_that_have_room() -> None:
    result = Simulation(load(task(0, 5), task(0, 5)), replicas((0, 2), (20, 0), gate=1)).run()

    assert rounded(result.waits) == [10, 15]


def test_a_gate_on_a_kind_holds_back_that_kind_only() -> None:
    workload = load(task(0, 5, kind="a"), task(0, 5, kind="a"), task(0, 5, kind="b"))
    controller = Script((0, Orders(replicas=3, kind_ceilings={"a": 1})), (20, Orders(replicas=0)))

    assert sorted(Simulation(workload, controller).run().waits) == [10, 10, 15]


def test_a_quota_bounds_the_running_tasks_of_a_kind() -> None:
    workload = load(task(0, 5), task(0, 5), kinds=(KindLimits(kind="task", max_concurrent=1),))

    assert rounded(Simulation(workload, replicas((0, 2), (20, 0))).run().waits) == [10, 15]


def test_a_rate_bounds_the_starts_of_a_kind() -> None:
    limits = KindLimits(kind="task", rate_starts=1, rate_period_seconds=8)
    workload = load(task(0, 5), task(0, 5), kinds=(limits,))

    assert rounded(Simulation(workload, replicas((0, 2), (30, 0))).run().waits) == [10, 18]


def test_old_tasks_have_a_quarter_of_the_claims() -> None:
    fresh, old = [task(0, 1) for _ in range(6)], [task(0, 1, kind="old", age=1000) for _ in range(2)]
    controller = replicas((0, 1), (20, 0))

    result = Simulation(load(*fresh, *old, fresh_seconds=900), controller).run()

    running = [one.running[0].kind for one in controller.seen[10:18]]
    assert running == ["task", "task", "task", "old", "task", "task", "task", "old"]
    assert result.done == 8


def test_a_waiting_task_grows_stale() -> None:
    result = Simulation(load(task(0, 30), task(0, 30), task(35, 1), fresh_seconds=20), replicas((0, 1), (90, 0))).run()

    assert rounded(result.waits) == [10, 5, 41]


def test_a_source_that_is_gone_ends_a_task_at_its_first_attempt() -> None:
    result = Simulation(load(task(0, 5, gone=True)), replicas((0, 1), (20, 0))).run()

    assert (result.done, result.gone, result.calls) == (0, 1, 1)


def test_a_plain_queue_retries_even_what_is_gone() -> None:
    manners = Manners(attempts=3, backoff_seconds=2, gone_is_final=False, overload_is_free=False)

    result = Simulation(load(task(0, 5, gone=True)), replicas((0, 1), (60, 0)), manners=manners).run()

    # Starts at 10, 17 (15 + 2) and 26 (22 + 4), and is given up at 31.
    assert (result.gone, result.calls, result.seconds) == (1, 3, 31)
    assert PLAIN_QUEUE.backoff(3) == 8


def test_a_refused_task_goes_back_and_its_slot_rests() -> None:
    bucket = TokenBucket(per_second=1, burst=1, refusal_seconds=0.5)

    result = Simulation(load(task(0, 5), task(0, 5)), replicas((0, 2), (30, 0)), downstream=bucket).run()

    # The second is refused at 10, returns at 10.5 + 1 and finds a token.
    assert (result.calls, result.refused, result.done, result.seconds) == (3, 1, 2, 16.5)
    assert rounded(result.waits) == [10, 10]


def test_attempts_are_used_up_by_refusals_in_a_plain_queue() -> None:
    bucket = TokenBucket(per_second=0.001, burst=1, refusal_cost=0.5, refusal_seconds=0.5)
    manners = Manners(attempts=2, overload_is_free=False)

    result = Simulation(load(task(0, 5), task(0, 5)), replicas((0, 1), (30, 0)), downstream=bucket, manners=manners).run()

    assert (result.done, result.lost, result.gone, result.finished) == (1, 1, 0, True)


def test_a_fault_is_tried_again_after_a_pause() -> None:
    flaky = Flaky(Random(1), faulty_share=0.5)

    result = Simulation(load(task(0, 4)), replicas((0, 1), (40, 0)), downstream=flaky).run()

    # The seed fails the first attempt at 12, starts the second at 13.
    assert (result.calls, result.done, result.seconds) == (2, 1, 17)


def test_saturation_stretches_what_runs() -> None:
    result = Simulation(load(task(0, 4), task(0, 4)), replicas((0, 2), (30, 0)), downstream=Saturating(capacity=1)).run()

    assert result.seconds == 18


def test_pods_that_end_finish_their_tasks_within_the_grace_period() -> None:
    kept = Simulation(load(task(0, 5)), replicas((0, 1), (12, 0), grace=10)).run()
    cut = Simulation(load(task(0, 5)), replicas((0, 1), (12, 0), (14, 1), (40, 0), grace=1)).run()

    assert (kept.killed, kept.seconds, kept.pod_seconds) == (0, 15, 15)
    # Cut at 13, one pod again from 14, up at 24, done at 29.
    assert (cut.killed, cut.seconds, cut.calls, cut.pod_seconds) == (1, 29, 2, 13 + 26)


def test_without_grace_a_pod_is_cut_at_once() -> None:
    assert Simulation(load(task(0, 5)), replicas((0, 1), (12, 0), (14, 1), (40, 0))).run().killed == 1


def test_a_pod_that_has_not_started_is_the_first_to_go() -> None:
    result = Simulation(load(task(0, 30)), replicas((0, 1), (12, 2), (15, 1), (40, 0))).run()

    assert (result.killed, result.pod_seconds) == (0, 40 + 3)


def test_a_drained_pod_is_removed_and_a_mark_is_taken_back() -> None:
    workload = load(task(0, 1), task(12, 1), horizon=20)
    pod = UUID(int=1)
    script = Script(
        (0, Orders(replicas=1)),
        (11, Orders(replicas=1, drain=(pod,))),
        (14, Orders(replicas=1, undrain=(pod,))),
        (16, Orders(replicas=0, remove=(pod,))),
        (17, Orders(replicas=0)),
    )

    result = Simulation(workload, script).run()

    assert (rounded(result.waits), result.pod_seconds) == ([10, 2], 16)


def test_moments_show_demand_and_waits() -> None:
    moments = Simulation(load(task(0, 5), task(0, 5)), replicas((0, 1), (20, 0))).run(moments=True).moments

    assert [(one.demand, one.waiting, one.running, one.held, one.replicas) for one in moments[9:12]] == [
        (2, 2, 0, 1, 1),
        (2, 1, 1, 1, 1),
        (2, 1, 1, 1, 1),
    ]
    assert [one.oldest_wait for one in (moments[9], moments[12], moments[20])] == [9, 12, 0]


def test_a_controller_that_starts_nobody_is_given_up() -> None:
    result = Simulation(load(task(0, 5)), replicas((0, 0)), give_up_seconds=20).run()

    assert (result.finished, result.wait(50)) == (False, 0)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_seed_gives_the_same_run(seed: int) -> None:
    workload = load(*(task(number / 10, 3) for number in range(200)))
    policy = ScalingPolicy(queue="case", max_wait_seconds=60, max_replicas=10)
    first, second = (Simulation(workload, Law(policy), seed=seed).run() for _ in range(2))

    assert first == second
    assert (first.done, first.killed, first.late_percent, first.final_pods) == (200, 0, 0, 0)


def test_a_fixed_fleet_stays_until_nothing_is_left() -> None:
    result = Simulation(load(task(0, 5), task(3, 5)), Fixed(2)).run()

    assert rounded(result.waits) == [10, 7]
    assert result.pod_seconds == 2 * 16


def test_a_cut_pod_takes_down_its_own_tasks_only() -> None:
    result = Simulation(load(task(0, 30), task(0, 30)), replicas((0, 2), (12, 1), (100, 0))).run()

    assert (result.killed, result.done) == (1, 2)


def test_grace_that_was_not_needed_ends_nobody_twice() -> None:
    result = Simulation(load(task(0, 5), task(0, 5)), replicas((0, 2), (12, 1), (40, 0), grace=20)).run()

    assert (result.killed, result.done) == (0, 2)


def test_old_tasks_look_as_old_as_the_ledger_says() -> None:
    """Buckets of five seconds, then minutes, then hours: an age is never shown as less than it is."""
    script = replicas((0, 0), (2, 1), (30, 0))
    Simulation(load(task(0, 1, age=10_803), task(0, 1, age=600), task(0, 1, age=7)), script).run()

    assert sorted(bucket.oldest_seconds for bucket in script.seen[0].ready) == [10, 600, 10_800 + 3600]
