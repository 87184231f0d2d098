"""The law as stories: what a queue sees, and what its fleet does."""

import pytest
from msgspec.structs import replace

from taskfleet_operator.scaling import (
    Behavior,
    Decision,
    Direction,
    KindLimits,
    Lanes,
    Memory,
    Mode,
    QueueObservation,
    RateUnit,
    Reason,
    ScalingPolicy,
    ScalingRate,
    ScalingRules,
    StopPolicy,
    decide,
)
from taskfleet_operator.scaling.memory import KindMemory
from tests.support.scaling import Story, applied, at, crew, numbers, policy, ready, running, seen, total, worker

DEMO = policy(max_wait_seconds=60, max_replicas=8, slots_per_replica=8, lanes=Lanes(fresh_seconds=604_800))
BACKLOG = tuple(ready(2_000, age=hour * 3600) for hour in range(44))


def first(sight: QueueObservation, rules: ScalingPolicy | None = None) -> Decision:
    return decide(sight, rules or policy(), Memory(), now=at()).decision


@pytest.mark.requirement("A3")
def test_88_000_waiting_tasks_bring_every_allowed_worker_at_once() -> None:
    decision = first(seen(ready=BACKLOG), DEMO)

    assert (decision.replicas, decision.reason) == (8, Reason.PANIC_BACKLOG)
    assert decision.message == (
        "8 workers: 88,000 ready tasks would keep 1 slot busy for 880,000 s; a burst cannot start within 10 s, a worker takes 15 s to start"
        if not decision.goal_reachable
        else "8 workers: 88,000 ready tasks would keep 1 slot busy for 880,000 s"
    )


def test_one_task_brings_one_worker_in_one_tick() -> None:
    decision = first(seen(ready=(ready(1),)))

    assert (decision.replicas, decision.reason) == (1, Reason.DEADLINE_DEMAND)
    assert decision.message == "1 worker: 1 ready task must start within 84 s at 10 s each"


def test_nothing_to_do_is_steady() -> None:
    decision = first(seen())

    assert (decision.replicas, decision.reason, decision.message) == (0, Reason.STEADY, "0 workers: nothing waits, 0 of 0 slots are busy")


def test_a_capped_demand_says_who_caps_it() -> None:
    decision = first(seen(ready=(ready(100),)), policy(max_replicas=5))

    assert (decision.wanted, decision.desired, decision.replicas) == (13, 5, 5)
    assert decision.limited_by is Reason.MAX_REPLICAS
    assert decision.message == "5 workers: 100 ready tasks must start within 84 s at 10 s each; capped by MaxReplicas at 5 of 13 wanted"


def test_twenty_long_tasks_get_a_slot_each() -> None:
    rules = policy(kinds=(KindLimits(kind="task", expected_seconds=1200),))

    assert first(seen(ready=(ready(20),)), rules).replicas == 20


def test_a_busy_fleet_of_long_tasks_loses_nobody() -> None:
    story = Story(policy(kinds=(KindLimits(kind="task", expected_seconds=1200),)))
    decision = story.watch(seen(*crew([1] * 20)), start=at(), end=at(minutes=10))

    assert decision.replicas == 20
    assert decision.drain == decision.removable == ()


def test_minimum_replicas_are_kept_warm() -> None:
    decision = first(seen(), policy(min_replicas=2))

    assert (decision.replicas, decision.reason, decision.message) == (2, Reason.MIN_REPLICAS, "2 workers: minReplicas keeps 2 warm")


def test_warm_workers_stay_for_no_other_reason_than_the_minimum() -> None:
    decision = Story(policy(min_replicas=2)).watch(seen(*crew([0, 0])), start=at(), end=at(minutes=5))

    assert (decision.replicas, decision.drain, decision.reason) == (2, (), Reason.MIN_REPLICAS)


def test_the_fleet_goes_when_the_work_is_done() -> None:
    """Idle for six seconds, then marked, then (having said that they are drained) gone: at most three ticks after."""
    story = Story(DEMO)
    sight = seen(*crew([0] * 8, slots=8))
    decision = story.watch(sight, start=at(), end=at(seconds=4))
    assert decision.drain == ()

    decision = story.decide(sight, now=at(seconds=6))
    assert numbers(decision.drain) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert decision.replicas == 8
    assert decision.message == "0 workers: 64 of 64 slots are unused and nothing waits"

    drained = seen(*(replace(one, drained=True) for one in applied(decision, sight).workers))
    decision = story.decide(drained, now=at(seconds=8))
    assert numbers(decision.removable) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert decision.replicas == 0


def test_new_work_takes_marked_workers_back_before_it_starts_new_ones() -> None:
    sight = seen(worker(1, draining=True), worker(2, draining=True), ready=(ready(3),), replicas=2)
    rules = policy(kinds=(KindLimits(kind="task", expected_seconds=1200),))
    decision = first(sight, rules)

    assert numbers(decision.undrain) == [1, 2]
    assert decision.replicas == 3


def test_a_new_leader_removes_nobody_until_it_has_watched_long_enough() -> None:
    """A reset at noon of a daily wave must not send busy hours' workers home."""
    idle = seen(*crew([1] * 15 + [0] * 9))
    fresh_start = Story(policy())

    assert fresh_start.watch(idle, start=at(), end=at(seconds=4)).drain == ()
    assert fresh_start.decide(idle, now=at(seconds=6)).drain != ()


def test_a_saved_memory_is_taken_up_after_a_short_change_of_leaders() -> None:
    idle = seen(*crew([0] * 4))
    old = Story(policy())
    old.watch(idle, start=at(), end=at(seconds=4))
    new = Story(policy(), Memory.from_dict(old.memory.to_dict()))

    assert new.decide(idle, now=at(seconds=9)).drain != ()


def test_after_a_long_gap_the_windows_start_anew() -> None:
    idle = seen(*crew([0] * 4))
    story = Story(policy())
    story.watch(idle, start=at(), end=at(seconds=4))

    assert story.decide(idle, now=at(minutes=10)).drain == ()


def test_the_end_of_a_batch_tapers() -> None:
    """A hundred slots and fifty tasks of two seconds, minutes before their deadline: most slots may go as they become free."""
    rules = policy(max_wait_seconds=600, kinds=(KindLimits(kind="task", expected_seconds=2),))
    sight = seen(*crew([1] * 100), ready=(ready(50, age=20),))
    story = Story(rules)
    assert story.watch(sight, start=at(), end=at(seconds=4)).drain == ()

    decision = story.decide(sight, now=at(seconds=6))
    assert decision.reason is Reason.TAPER
    assert 80 <= len(decision.drain) < 100
    assert "50 tasks wait, fewer than 100 slots are enough" in decision.message


def test_nobody_leaves_into_a_panic() -> None:
    """100,000 seconds of work and 2,800 s of slack: below 36 slots it would be panic again."""
    rules = policy(max_wait_seconds=4000, kinds=(KindLimits(kind="task", expected_seconds=1),), max_replicas=100)
    decision = Story(rules).watch(seen(*crew([0] * 100), ready=(ready(100_000),)), start=at(), end=at(seconds=60))

    assert decision.desired >= 36


def test_starts_that_a_panic_ordered_too_many_are_cancelled_two_ticks_later() -> None:
    """2,000 tasks of 5 s within 210 s want 51 slots; panic from nothing orders all hundred."""
    story = Story(policy(max_wait_seconds=300, kinds=(KindLimits(kind="task", expected_seconds=5),)))
    sight = seen(ready=(ready(2_000),))
    desired = []
    for tick in range(3):
        decision = story.decide(sight, now=at(seconds=2 * tick))
        sight = applied(decision, sight)
        desired.append(decision.replicas)

    assert desired == [100, 100, 57]


def test_whole_pods_leave_only_when_all_their_slots_are_surplus() -> None:
    """Three workers of eight, nine tasks of long duration: eight slots are surplus, the emptiest worker goes."""
    rules = policy(slots_per_replica=8, kinds=(KindLimits(kind="task", expected_seconds=600),))
    sight = seen(*crew([4, 3, 2], slots=8))
    story = Story(rules)
    decision = story.watch(sight, start=at(), end=at(seconds=6))

    assert numbers(decision.drain) == [3]
    assert decision.desired == 2
    decision = story.watch(applied(decision, sight), start=at(seconds=8), end=at(seconds=40))
    assert decision.drain == ()


def test_a_steady_stream_keeps_the_slots_it_fills() -> None:
    """Two tasks a second of six seconds: twelve slots are kept although all of them are idle at this moment."""
    story = Story(policy())
    for tick in range(600):
        sight = seen(
            *crew([1] * 13),
            running=(running(13, each=3),),
            totals=(total("enqueued", 4 * tick), total("succeeded", 4 * tick, busy=24.0 * tick)),
        )
        story.decide(sight, now=at(seconds=2 * tick))
    lull = replace(sight, workers=crew([0] * 13), running=())
    decision = story.decide(lull, now=at(seconds=1200))

    assert decision.drain == ()
    assert [step.did for step in decision.steps if step.name == "rate floor"] == [
        "arrivals keep 12.1 slots busy, 12.1 are kept for them; minReplicas is 0"
    ] or decision.desired >= 12


def test_arrivals_bring_their_slots_back() -> None:
    story = Story(policy())
    for tick in range(600):
        totals = (total("enqueued", 4 * tick), total("succeeded", 4 * tick, busy=24.0 * tick))
        story.decide(seen(totals=totals), now=at(seconds=2 * tick))
    decision = story.decide(seen(totals=totals), now=at(seconds=1200))

    assert decision.reason is Reason.ARRIVAL_RATE
    assert decision.replicas == 12
    assert "tasks arrive a second and keep" in decision.message


def test_a_full_quota_is_named_as_what_holds_the_fleet() -> None:
    rules = policy(kinds=(KindLimits(kind="task", max_concurrent=20, expected_seconds=10),))
    decision = first(seen(*crew([1] * 20), ready=(ready(900),)), rules)

    assert (decision.replicas, decision.limited_by) == (20, Reason.KIND_QUOTA)
    assert decision.message == "20 workers: 900 tasks wait, 20 of 20 slots are busy; KindQuota lets only 101 of 900 start in time"


# ---- a failing downstream


def overloaded(tick: int, *, share: float = 0.2, gone: int = 0) -> tuple[object, ...]:
    calls = 200 * tick
    return (
        total("succeeded", int(calls * (1 - share)), busy=calls * (1 - share) * 0.1),
        total("released", int(calls * share), code="TASK_OVERLOADED", busy=calls * share * 0.01),
        total("failed", gone * tick, code="TASK_ENTITY_NOT_FOUND", busy=0.0),
    )


def through_overload(*, gone: int = 0, share: float = 0.2, story: Story | None = None) -> Decision:
    story = story or Story(DEMO)
    for tick in range(9):
        sight = seen(*crew([5] * 8, slots=8), ready=BACKLOG, totals=overloaded(tick, share=share, gone=gone))
        decision = story.decide(sight, now=at(seconds=2 * tick))
    return decision


def test_an_overloaded_downstream_gets_a_ceiling_and_workers_above_it_are_drained() -> None:
    decision = through_overload()

    assert decision.claim_ceiling == 28
    assert (decision.desired, decision.limited_by) == (4, Reason.FAILURE_CEILING)
    assert len(decision.drain) == 4
    assert "capped by FailureCeiling at 4 of 8 wanted" in decision.message


@pytest.mark.parametrize("gone", [pytest.param(0, id="none"), pytest.param(50, id="some"), pytest.param(5000, id="nearly all")])
def test_permanent_failures_never_move_the_ceiling(gone: int) -> None:
    assert through_overload(gone=gone).claim_ceiling == 28
    healthy = Story(DEMO)
    through_overload(gone=gone, share=0.0, story=healthy)
    assert healthy.memory.ceiling.slots is None


def test_a_kind_that_only_fails_is_reduced_to_a_probe() -> None:
    story = Story(policy())
    story.decide(seen(ready=(ready(50),)), now=at())
    story.decide(seen(ready=(ready(50),)), now=at(seconds=2))
    broken = seen(ready=(ready(50),), totals=(total("retried", 30, code="TASK_EXECUTION_FAILED", busy=3.0),))
    story.decide(broken, now=at(seconds=4))
    decision = story.decide(broken, now=at(seconds=6))

    assert decision.kind_ceilings == {"task": 1}
    assert (decision.desired, decision.limited_by) == (1, Reason.BREAKER_OPEN)


def test_useless_slots_are_gated_at_claim_time() -> None:
    """At the maximum with backlog for two windows: half as many are tried, and nobody is sent home for the try."""
    story = Story(policy(max_replicas=40, panic_backlog=10**9))
    for tick in range(30):
        finished = 400 * tick
        sight = seen(
            *crew([1] * 40),
            ready=(ready(50_000, age=1000),),
            running=(running(40, each=0.1),),
            totals=(total("succeeded", finished, busy=80.0 * tick),),
        )
        decision = story.decide(sight, now=at(seconds=2 * tick))
        if decision.claim_ceiling is not None:
            break

    assert decision.claim_ceiling == 20
    assert decision.desired == 40


# ---- modes


def test_recommend_decides_and_changes_nothing() -> None:
    sight = seen(*crew([0] * 8, slots=8), ready=BACKLOG)
    decision = first(sight, replace(DEMO, mode=Mode.RECOMMEND, max_replicas=20))

    assert (decision.desired, decision.replicas, decision.applied) == (20, 8, False)
    assert decision.reason is Reason.RECOMMEND
    assert decision.message.startswith("would run 20 workers: 88,000 ready tasks")


def test_recommend_sets_no_ceiling() -> None:
    story = Story(replace(DEMO, mode=Mode.RECOMMEND))
    for tick in range(20):
        sight = seen(*crew([5] * 8, slots=8), ready=BACKLOG, totals=overloaded(tick))
        decision = story.decide(sight, now=at(seconds=2 * tick))

    assert decision.claim_ceiling is None


def test_hold_keeps_the_replicas_and_claims_nothing() -> None:
    decision = Story(policy(stop=StopPolicy.HOLD)).watch(seen(*crew([0] * 4), ready=(ready(999),)), start=at(), end=at(minutes=5))

    assert (decision.replicas, decision.drain, decision.hold_claims, decision.reason) == (4, (), True, Reason.HELD)


def test_hold_and_drain_ends_at_zero_without_cutting_anybody() -> None:
    decision = first(seen(*crew([1, 0]), ready=(ready(999),)), policy(stop=StopPolicy.HOLD_AND_DRAIN, min_replicas=1))

    assert (decision.desired, decision.replicas, decision.hold_claims) == (0, 2, True)
    assert numbers(decision.drain) == [1, 2]


@pytest.mark.parametrize(
    ("pause", "sight", "expected"),
    [
        pytest.param({Direction.OUT}, seen(ready=(ready(99),)), 0, id="no scale-up"),
        pytest.param({Direction.IN}, seen(ready=(ready(1),)), 1, id="a pause of scale-down leaves scale-up alone"),
    ],
)
def test_paused_directions(pause: set[Direction], sight: QueueObservation, expected: int) -> None:
    assert first(sight, policy(pause=frozenset(pause))).replicas == expected


def test_paused_scale_down_keeps_idle_workers() -> None:
    decision = Story(policy(pause=frozenset({Direction.IN}))).watch(seen(*crew([0] * 4)), start=at(), end=at(minutes=5))

    assert (decision.replicas, decision.drain, decision.reason) == (4, (), Reason.PAUSED)


def test_a_queue_paused_by_hand_wants_nobody() -> None:
    decision = first(seen(ready=(ready(999),), paused=True))

    assert (decision.replicas, decision.reason) == (0, Reason.PAUSED)


def test_behavior_slows_a_scale_up() -> None:
    rates = (ScalingRate(unit=RateUnit.PODS, value=4, period_seconds=60),)
    decision = first(seen(ready=(ready(999),)), policy(behavior=Behavior(scale_up=ScalingRules(rates=rates))))

    assert (decision.replicas, decision.limited_by, decision.reason) == (4, Reason.STABILIZED, Reason.STABILIZED)


def test_a_rate_counts_what_was_started_before() -> None:
    rates = (ScalingRate(unit=RateUnit.PODS, value=4, period_seconds=60),)
    story = Story(policy(behavior=Behavior(scale_up=ScalingRules(rates=rates))))
    sight = seen(ready=(ready(999),))
    sight = applied(story.decide(sight, now=at()), sight)

    assert story.decide(sight, now=at(seconds=30)).replicas == 4
    assert story.decide(sight, now=at(seconds=61)).replicas == 8


def test_behavior_slows_a_scale_down() -> None:
    rates = (ScalingRate(unit=RateUnit.PODS, value=1, period_seconds=60),)
    story = Story(policy(behavior=Behavior(scale_down=ScalingRules(rates=rates))))
    decision = story.watch(seen(*crew([0] * 4)), start=at(), end=at(seconds=6))

    assert (len(decision.drain), decision.desired, decision.reason) == (1, 3, Reason.STABILIZED)


def test_replicas_that_somebody_else_keeps_changing_are_left_alone() -> None:
    sight = seen(ready=(ready(50),))
    story = Story(policy())
    assert story.decide(replace(sight, foreign_change=True), now=at()).replicas == 7

    decision = story.decide(replace(sight, foreign_change=True), now=at(minutes=1))
    assert (decision.replicas, decision.applied, decision.reason) == (0, False, Reason.REPLICAS_CONTESTED)
    assert decision.message.startswith("somebody else keeps changing the replicas")


def test_a_rollout_lets_nobody_go() -> None:
    story = Story(policy())
    decision = story.watch(seen(*crew([0] * 4), rollout=True), start=at(), end=at(minutes=1))

    assert decision.drain == ()


def test_a_goal_shorter_than_a_start_is_said_to_be_out_of_reach() -> None:
    decision = first(seen(ready=(ready(1),)), policy(max_wait_seconds=20))

    assert not decision.goal_reachable
    assert decision.message.endswith("a burst cannot start within 20 s, a worker takes 15 s to start")


@pytest.mark.parametrize(
    ("goal", "startup", "expected"),
    [
        pytest.param(60, 30, True, id="42 s of slack and 33 s to start"),
        pytest.param(60, 40, False, id="42 s of slack and 43 s to start"),
    ],
)
def test_goal_reachable(goal: float, startup: float, expected: bool) -> None:
    assert first(seen(startup_seconds=(startup,)), policy(max_wait_seconds=goal)).goal_reachable is expected


def test_a_stream_whose_next_task_has_yet_to_come_is_told_by_what_waits() -> None:
    """A task of ten seconds every ten seconds: one worker is worth keeping, though nothing waits now."""
    memory = Memory(decided_at=at(), kinds={"task": KindMemory(arrival_rate=0.1, prior_seconds=10.0)})
    decision = decide(seen(), policy(), memory, now=at()).decision

    assert (decision.replicas, decision.message) == (1, "1 worker: nothing waits")
