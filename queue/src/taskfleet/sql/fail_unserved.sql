-- Fail tasks of kinds that nobody serves: a worker of the queue has been live without a gap for a while, not draining, and in that time none
-- had a handler for the kind. Zero workers, a held queue or a broken image fail nothing. A task is given the same while to be served.
--
--   limit          integer           most of each kind
--   after_seconds  double precision  the while
--
-- Returns one row: how many. Indexes: ready_by_age, ready_tried_by_due.
WITH clock AS MATERIALIZED (
    SELECT now() - make_interval(secs => %(after_seconds)s::double precision) AS since
),
unserved AS MATERIALIZED (
    SELECT
        kinds.id,
        queues.name AS queue,
        kinds.name AS kind,
        clock.since,
        concat('no worker of queue ', queues.name, ' has had a handler for kind ', kinds.name, ' for ', %(after_seconds)s::text, ' s') AS message
    FROM taskfleet.kinds
    JOIN taskfleet.queues ON queues.id = kinds.queue_id
    CROSS JOIN clock
    WHERE NOT (queues.held OR queues.paused OR kinds.paused)
      AND coalesce(greatest(queues.resumed_at, kinds.resumed_at) < clock.since, true)
      AND EXISTS (
          SELECT
          FROM taskfleet.sessions
          WHERE sessions.queue_id = queues.id
            AND sessions.started_at <= clock.since
            AND sessions.expires_at > now()
            AND sessions.closed_at IS NULL
            AND NOT sessions.draining
      )
      AND NOT EXISTS (
          SELECT
          FROM taskfleet.sessions
          WHERE sessions.queue_id = queues.id
            AND sessions.expires_at > clock.since
            AND kinds.name = ANY (sessions.kinds)
      )
),
swept AS MATERIALIZED (
    SELECT unserved.queue, unserved.kind, part.matched
    FROM unserved
    CROSS JOIN (VALUES (false), (true)) AS parts (tried)
    CROSS JOIN LATERAL taskfleet.sweep_waiting_v1(
        unserved.id, NULL, unserved.since, parts.tried, '-infinity', 0, %(limit)s::integer,
        ARRAY['failed', 'non_retryable', 'TASK_PAYLOAD_UNSUPPORTED', unserved.message]
    ) AS part
),
audited AS (
    INSERT INTO taskfleet.audit_log (actor, action, queue, kind, outcome, detail)
    SELECT
        'maintenance', 'fail_unserved', swept.queue, swept.kind, 'failed',
        jsonb_build_object('count', sum(swept.matched), 'code', 'TASK_PAYLOAD_UNSUPPORTED')
    FROM swept
    GROUP BY swept.queue, swept.kind
    HAVING sum(swept.matched) > 0
)
SELECT coalesce(sum(swept.matched), 0) FROM swept;
