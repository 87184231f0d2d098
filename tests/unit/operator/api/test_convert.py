from taskfleet.models import KindPolicy, QueuePolicy
from taskfleet_operator.api.convert import queue_policy, scaling_policy, termination_grace_seconds
from taskfleet_operator.api.reading import read_task_queue
from taskfleet_operator.scaling.policy import (
    Behavior,
    BlindBehavior,
    Direction,
    KindLimits,
    Lanes,
    Mode,
    OnDatabaseError,
    RateUnit,
    ScalingPolicy,
    ScalingRate,
    ScalingRules,
    StopPolicy,
)
from tests.unit.operator.api.manifests import MINIMAL, manifest

WHOLE = read_task_queue(
    manifest(
        maxConcurrent=40,
        goal={"maxWaitSeconds": 60},
        kinds=[
            {
                "name": "transcode",
                "maxConcurrent": 20,
                "rate": {"starts": 30, "periodSeconds": 60},
                "expectedSeconds": 0.5,
                "timeoutSeconds": 900,
                "retry": {"maxAttempts": 5, "minBackoffSeconds": 1, "maxBackoffSeconds": 30},
            },
            {"name": "plain"},
        ],
        scaling={
            "mode": "Recommend",
            "minReplicas": 1,
            "maxReplicas": 8,
            "weight": 2,
            "priority": -1,
            "panicBacklog": 5,
            "pause": ["In"],
            "failures": {"maxOverloadPercent": 0},
            "onDatabaseError": {"behavior": "Static", "failureThreshold": 2, "replicas": 4},
            "behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}]}},
        },
        lanes={"freshSeconds": 10, "staleSharePercent": 50, "staleWaitSeconds": 20},
        expiry={"waitingSeconds": 100, "runningSeconds": 200},
        retention={"failedSeconds": 0, "succeededSeconds": 3_000},
        limits={"maxLength": 10, "warnLength": 5, "maxPayloadBytes": 100, "maxResultBytes": 50},
        worker={"concurrency": 8, "drainSeconds": 30, "template": {}},
        stopPolicy="Hold",
    )
)


def test_queue_policy_carries_all_that_the_database_enforces() -> None:
    expected = QueuePolicy(
        queue="episodes",
        kinds=(
            KindPolicy(
                kind="transcode",
                max_concurrent=20,
                rate_starts=30,
                rate_period_seconds=60.0,
                expected_seconds=0.5,
                timeout_seconds=900.0,
                max_attempts=5,
                min_backoff_seconds=1.0,
                max_backoff_seconds=30.0,
            ),
            KindPolicy(kind="plain", max_attempts=3, min_backoff_seconds=2.0, max_backoff_seconds=60.0),
        ),
        max_concurrent=40,
        wait_goal_seconds=60.0,
        fresh_seconds=10.0,
        stale_share=0.5,
        stale_wait_seconds=20.0,
        waiting_expiry_seconds=100.0,
        running_timeout_seconds=200.0,
        failed_retention_seconds=1.0,
        succeeded_retention_seconds=3_000.0,
        max_length=10,
        warn_length=5,
        max_payload_bytes=100,
        max_result_bytes=50,
        held=True,
    )

    assert queue_policy(WHOLE) == expected


def test_scaling_policy_carries_all_that_the_law_needs() -> None:
    expected = ScalingPolicy(
        queue="media/episodes",
        max_wait_seconds=60.0,
        min_replicas=1,
        max_replicas=8,
        slots_per_replica=8,
        max_concurrent=40,
        kinds=(
            KindLimits(kind="transcode", max_concurrent=20, rate_starts=30, rate_period_seconds=60.0, expected_seconds=0.5),
            KindLimits(kind="plain"),
        ),
        lanes=Lanes(fresh_seconds=10.0, stale_share=0.5, stale_wait_seconds=20.0),
        weight=2.0,
        priority=-1,
        panic_backlog=5,
        max_overload_percent=0.0,
        mode=Mode.RECOMMEND,
        pause=frozenset({Direction.IN}),
        stop=StopPolicy.HOLD,
        on_database_error=OnDatabaseError(behavior=BlindBehavior.STATIC, failure_threshold=2, replicas=4),
        behavior=Behavior(scale_up=ScalingRules(rates=(ScalingRate(unit=RateUnit.PODS, value=4, period_seconds=15.0),))),
        tick_seconds=1.0,
    )

    assert scaling_policy(WHOLE, tick_seconds=1.0) == expected


def test_defaults_of_spec_and_database_are_the_same() -> None:
    made = queue_policy(read_task_queue(MINIMAL))

    assert made == QueuePolicy(queue="episodes", wait_goal_seconds=120.0, stale_wait_seconds=3_600.0)


def test_defaults_of_spec_and_law_are_the_same() -> None:
    made = scaling_policy(read_task_queue(MINIMAL), tick_seconds=2.0)

    assert made == ScalingPolicy(queue="media/episodes", slots_per_replica=4)


def test_grace_is_the_longest_task_or_the_drain_time() -> None:
    longest = termination_grace_seconds(WHOLE)
    plain = termination_grace_seconds(read_task_queue(MINIMAL))

    assert (longest, plain) == (900, 300)
