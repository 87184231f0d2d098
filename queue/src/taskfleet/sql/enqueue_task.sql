-- Put one task into its queue.
--
--   kind_id          integer      the kind, as find_kinds.sql returned it
--   payload          jsonb        NULL where there is none
--   headers          jsonb        NULL where there are none
--   priority         smallint     0-9, lower first
--   run_at           timestamptz  not before; NULL: now plus the delay
--   delay_seconds    float        seconds from now
--   group_name, entity, idempotency_key   text, each may be NULL
--   max_attempts     integer      NULL: what the kind says
--   wants_result     boolean
--
-- Returns one row: kind_known, task_id, duplicate.
--   kind_known false  the kind is gone (its creation was rolled back): create it and come again
--   task_id NULL      an unfinished task with this key was committed after this statement's snapshot: a new statement will see it
--   duplicate true    task_id is that of the unfinished task that holds the key
-- A task whose group is paused is put aside (held) and waits for the group to be resumed.
-- The clock is read once and not from the transaction: what a long transaction enqueues has not waited since its start.
WITH moment AS MATERIALIZED (
    SELECT clock_timestamp() AS now
),
reserved AS MATERIALIZED (
    SELECT kinds.id AS kind_id, nextval('taskfleet.tasks_id_seq') AS task_id
    FROM taskfleet.kinds
    WHERE kinds.id = %(kind_id)s::integer
),
key_claimed AS (
    INSERT INTO taskfleet.idempotency_keys (kind_id, key, task_id)
    SELECT kind_id, %(idempotency_key)s::text, task_id
    FROM reserved
    WHERE %(idempotency_key)s::text IS NOT NULL
    ON CONFLICT (kind_id, key) DO NOTHING
    RETURNING task_id
),
accepted AS MATERIALIZED (
    SELECT
        reserved.kind_id,
        reserved.task_id,
        moment.now,
        coalesce(%(run_at)s::timestamptz, moment.now + make_interval(secs => %(delay_seconds)s::double precision)) AS run_at
    FROM reserved CROSS JOIN moment
    WHERE %(idempotency_key)s::text IS NULL
       OR EXISTS (SELECT FROM key_claimed)
),
kept AS (
    INSERT INTO taskfleet.tasks (
        id, kind_id, max_attempts, wants_result, created_at, payload, headers, group_name, entity, idempotency_key
    )
    SELECT
        task_id, kind_id, %(max_attempts)s::integer, %(wants_result)s::boolean, now, %(payload)s::jsonb, %(headers)s::jsonb,
        %(group_name)s::text, %(entity)s::text, %(idempotency_key)s::text
    FROM accepted
),
-- Not earlier: the look at the group must not be older than the lock that makes it hold.
sorted AS MATERIALIZED (
    SELECT task_id, kind_id, run_at, now, taskfleet.enter_group_v1(kind_id, %(group_name)s::text) AS closed
    FROM accepted
),
placed AS (
    INSERT INTO taskfleet.ready (task_id, run_at, due_since, kind_id, priority)
    SELECT task_id, run_at, run_at, kind_id, %(priority)s::smallint
    FROM sorted
    WHERE NOT closed
),
counted AS (
    INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
    SELECT kind_id, %(priority)s::smallint, taskfleet.backlog_bucket(run_at, now), 1
    FROM sorted
    WHERE NOT closed
),
aside AS (
    INSERT INTO taskfleet.held (task_id, run_at, due_since, held_at, kind_id, attempt_count, priority, by_hand, group_name)
    SELECT task_id, run_at, run_at, now, kind_id, 0, %(priority)s::smallint, false, %(group_name)s::text
    FROM sorted
    WHERE closed
),
counted_aside AS (
    INSERT INTO taskfleet.state_ledger (kind_id, state, delta)
    SELECT kind_id, 'paused', 1
    FROM sorted
    WHERE closed
),
arrived AS (
    INSERT INTO taskfleet.outcome_ledger (kind_id, minute, outcome, count)
    SELECT kind_id, date_trunc('minute', now), 'enqueued', 1
    FROM accepted
),
holder AS (
    SELECT idempotency_keys.task_id
    FROM reserved
    JOIN taskfleet.idempotency_keys ON idempotency_keys.kind_id = reserved.kind_id
    WHERE idempotency_keys.key = %(idempotency_key)s::text
      AND NOT EXISTS (SELECT FROM accepted)
)
SELECT
    EXISTS (SELECT FROM reserved) AS kind_known,
    coalesce((SELECT task_id FROM accepted), (SELECT task_id FROM holder)) AS task_id,
    EXISTS (SELECT FROM holder) AS duplicate;
