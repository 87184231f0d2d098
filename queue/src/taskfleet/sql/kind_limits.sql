-- How long tasks of each kind may wait and run, and how long they are kept when they have ended; and the moments that follow from it.
--
--   queue              text              name of a queue, NULL: all
--   kind               text              name of a kind, NULL: all
--   waiting_seconds    double precision  instead of the policies'; NULL: what they say. Never below a queue's wait goal or staleWaitSeconds
--   running_seconds    double precision  instead of the policies'; NULL: what they say
--   failed_seconds     double precision  instead of the policies'; NULL: what they say
--   succeeded_seconds  double precision  instead of the policies'; NULL: what they say
--
-- Returns one row a kind, by queue and kind: queue, queue_id, kind, kind_id, has_policy, stopped (held, paused, or resumed less than
-- the waiting limit ago: no task's time has passed), each limit in
-- seconds and as the moment before which it has passed.
SELECT
    queues.name AS queue,
    queues.id AS queue_id,
    kinds.name AS kind,
    kinds.id AS kind_id,
    queues.policy_written_at IS NOT NULL AS has_policy,
    (
        queues.held OR queues.paused OR kinds.paused
        OR coalesce(greatest(queues.resumed_at, kinds.resumed_at) >= clock.now - make_interval(secs => allowed.waiting_seconds), false)
    ) AS stopped,
    allowed.waiting_seconds,
    clock.now - make_interval(secs => allowed.waiting_seconds) AS waiting_before,
    allowed.running_seconds,
    clock.now - make_interval(secs => allowed.running_seconds) AS running_before,
    allowed.failed_seconds,
    clock.now - make_interval(secs => allowed.failed_seconds) AS failed_before,
    allowed.succeeded_seconds,
    clock.now - make_interval(secs => allowed.succeeded_seconds) AS succeeded_before
FROM taskfleet.queues
JOIN taskfleet.kinds ON kinds.queue_id = queues.id
CROSS JOIN (SELECT clock_timestamp() AS now) AS clock
CROSS JOIN LATERAL (
    SELECT
        taskfleet.waiting_limit_seconds(queues, %(waiting_seconds)s::double precision) AS waiting_seconds,
        coalesce(%(running_seconds)s::double precision, queues.running_timeout_seconds) AS running_seconds,
        coalesce(%(failed_seconds)s::double precision, queues.failed_retention_seconds) AS failed_seconds,
        coalesce(%(succeeded_seconds)s::double precision, queues.succeeded_retention_seconds) AS succeeded_seconds
) AS allowed
WHERE queues.name = coalesce(%(queue)s::text, queues.name)
  AND kinds.name = coalesce(%(kind)s::text, kinds.name)
ORDER BY queues.name, kinds.name;
