-- What one tick of the operator knows of the queues of this database, in one statement and one snapshot.
--
--   queues  text[]  names of queues; one that does not exist is missing from the answer
--
-- Returns one row a queue: queue, measured_at, waiting, running, sessions, enqueued_total, outcomes, failed, paused; waiting, running,
-- sessions and outcomes are JSON lists, the last with outcome 'enqueued' too: arrivals by kind. An entry of waiting is
-- [kind, priority, [starts of buckets, in seconds since 1970], [how many]]; a start may come more than once, and its parts may be negative:
-- the reader adds them up, which takes it a fifth of what a GROUP BY of all buckets takes here.
-- Never reads ready or tasks: it costs the number of buckets, of ledger rows not folded yet, of leases and of sessions.
-- The clock is read after the snapshot: buckets widened with it cover every delta in sight.
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
),
asked AS MATERIALIZED (
    SELECT queues.id, queues.name, queues.paused
    FROM taskfleet.queues
    WHERE queues.name = ANY (%(queues)s::text[])
),
asked_kinds AS MATERIALIZED (
    SELECT kinds.id, kinds.name, kinds.queue_id
    FROM taskfleet.kinds
    JOIN asked ON asked.id = kinds.queue_id
),
backlog_deltas AS (
    SELECT kind_id, priority, bucket, waiting AS delta FROM taskfleet.backlog_buckets
    UNION ALL
    SELECT kind_id, priority, bucket, sum(delta) AS delta FROM taskfleet.backlog_ledger GROUP BY kind_id, priority, bucket
),
profiles AS (
    SELECT
        backlog_deltas.kind_id,
        backlog_deltas.priority,
        array_agg(date_part('epoch', taskfleet.backlog_bucket(backlog_deltas.bucket, clock.now))::bigint) AS starts,
        array_agg(backlog_deltas.delta) AS deltas
    FROM backlog_deltas CROSS JOIN clock
    GROUP BY backlog_deltas.kind_id, backlog_deltas.priority
),
waiting_by_queue AS (
    SELECT
        asked_kinds.queue_id,
        json_agg(
            json_build_array(asked_kinds.name, profiles.priority, profiles.starts, profiles.deltas)
            ORDER BY asked_kinds.name, profiles.priority
        ) AS waiting
    FROM profiles
    JOIN asked_kinds ON asked_kinds.id = profiles.kind_id
    GROUP BY asked_kinds.queue_id
),
leased AS MATERIALIZED (
    SELECT
        leases.kind_id,
        leases.session_id,
        count(*) AS count,
        sum(extract(epoch FROM clock.now - leases.started_at)) AS running_seconds
    FROM taskfleet.leases CROSS JOIN clock
    GROUP BY leases.kind_id, leases.session_id
),
running_by_queue AS (
    SELECT by_kind.queue_id, json_agg(json_build_array(by_kind.name, by_kind.count, by_kind.running_seconds) ORDER BY by_kind.name) AS running
    FROM (
        SELECT asked_kinds.queue_id, asked_kinds.name, sum(leased.count) AS count, sum(leased.running_seconds) AS running_seconds
        FROM leased
        JOIN asked_kinds ON asked_kinds.id = leased.kind_id
        GROUP BY asked_kinds.queue_id, asked_kinds.name
    ) AS by_kind
    GROUP BY by_kind.queue_id
),
held_by_session AS (
    SELECT session_id, sum(count) AS count
    FROM leased
    GROUP BY session_id
),
sessions_by_queue AS (
    SELECT
        sessions.queue_id,
        json_agg(
            json_build_object(
                'session_id', sessions.id,
                'worker', sessions.worker,
                'pod_uid', sessions.pod_uid,
                'slots', sessions.slots,
                'leases', coalesce(held_by_session.count, 0),
                'kinds', sessions.kinds,
                'started_at', sessions.started_at,
                'heartbeat_age_seconds', extract(epoch FROM clock.now - sessions.heartbeat_at),
                'draining', sessions.draining,
                'drained', sessions.drained_at IS NOT NULL
            )
            ORDER BY sessions.started_at, sessions.id
        ) AS sessions
    FROM taskfleet.sessions
    JOIN asked ON asked.id = sessions.queue_id
    LEFT JOIN held_by_session ON held_by_session.session_id = sessions.id
    CROSS JOIN clock
    WHERE sessions.expires_at > clock.now
    GROUP BY sessions.queue_id
),
outcome_deltas AS (
    SELECT kind_id, outcome, code, count, busy_seconds FROM taskfleet.outcome_totals
    UNION ALL
    SELECT kind_id, outcome, code, count, busy_seconds FROM taskfleet.outcome_ledger
),
ended AS (
    SELECT
        asked_kinds.queue_id,
        asked_kinds.name AS kind,
        outcome_deltas.outcome,
        outcome_deltas.code,
        sum(outcome_deltas.count) AS count,
        sum(outcome_deltas.busy_seconds) AS busy_seconds
    FROM outcome_deltas
    JOIN asked_kinds ON asked_kinds.id = outcome_deltas.kind_id
    GROUP BY 1, 2, 3, 4
),
ended_by_queue AS (
    SELECT
        queue_id,
        coalesce(sum(count) FILTER (WHERE outcome = 'enqueued'), 0) AS enqueued_total,
        json_agg(json_build_array(kind, outcome, code, count, busy_seconds) ORDER BY kind, outcome, code) AS outcomes
    FROM ended
    GROUP BY queue_id
),
state_deltas AS (
    SELECT kind_id, kept AS delta FROM taskfleet.state_totals WHERE state = 'failed'
    UNION ALL
    SELECT kind_id, delta FROM taskfleet.state_ledger WHERE state = 'failed'
),
failed_by_queue AS (
    SELECT asked_kinds.queue_id, sum(state_deltas.delta) AS failed
    FROM state_deltas
    JOIN asked_kinds ON asked_kinds.id = state_deltas.kind_id
    GROUP BY asked_kinds.queue_id
)
SELECT
    asked.name AS queue,
    clock.now AS measured_at,
    coalesce(waiting_by_queue.waiting, '[]') AS waiting,
    coalesce(running_by_queue.running, '[]') AS running,
    coalesce(sessions_by_queue.sessions, '[]') AS sessions,
    coalesce(ended_by_queue.enqueued_total, 0)::bigint AS enqueued_total,
    coalesce(ended_by_queue.outcomes, '[]') AS outcomes,
    coalesce(failed_by_queue.failed, 0)::bigint AS failed,
    asked.paused
FROM asked
CROSS JOIN clock
LEFT JOIN waiting_by_queue ON waiting_by_queue.queue_id = asked.id
LEFT JOIN running_by_queue ON running_by_queue.queue_id = asked.id
LEFT JOIN sessions_by_queue ON sessions_by_queue.queue_id = asked.id
LEFT JOIN ended_by_queue ON ended_by_queue.queue_id = asked.id
LEFT JOIN failed_by_queue ON failed_by_queue.queue_id = asked.id
ORDER BY asked.name;
