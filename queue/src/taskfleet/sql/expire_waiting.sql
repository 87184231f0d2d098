-- End tasks that waited longer than their queue allows, and write it down. Time stands still for what is paused or held; queues without a
-- policy are left to the nightly cleanup.
--
--   limit  integer  most of each kind
--
-- Returns one row: how many. Indexes: ready_by_age, ready_tried_by_due.
WITH swept AS MATERIALIZED (
    SELECT queues.name AS queue, kinds.name AS kind, allowed.seconds, part.matched
    FROM taskfleet.kinds
    JOIN taskfleet.queues ON queues.id = kinds.queue_id
    CROSS JOIN LATERAL (SELECT taskfleet.waiting_limit_seconds(queues) AS seconds) AS allowed
    CROSS JOIN (VALUES (false), (true)) AS parts (tried)
    CROSS JOIN LATERAL taskfleet.sweep_waiting_v1(
        kinds.id, NULL, clock_timestamp() - make_interval(secs => allowed.seconds), parts.tried, '-infinity', 0, %(limit)s::integer,
        ARRAY['failed', 'expired', 'TASK_EXPIRED', 'longer than its queue allows']
    ) AS part
    WHERE NOT (queues.held OR queues.paused OR kinds.paused)
      AND queues.policy_written_at IS NOT NULL
      -- No time before it was resumed counts.
      AND coalesce(
          greatest(queues.resumed_at, kinds.resumed_at) < clock_timestamp() - make_interval(secs => taskfleet.waiting_limit_seconds(queues)),
          true
      )
),
audited AS (
    INSERT INTO taskfleet.audit_log (actor, action, queue, kind, outcome, detail)
    SELECT
        'maintenance', 'expire_waiting', swept.queue, swept.kind, 'failed',
        jsonb_build_object('count', sum(swept.matched), 'older_than_seconds', swept.seconds, 'code', 'TASK_EXPIRED')
    FROM swept
    GROUP BY swept.queue, swept.kind, swept.seconds
    HAVING sum(swept.matched) > 0
)
SELECT coalesce(sum(swept.matched), 0) FROM swept;
