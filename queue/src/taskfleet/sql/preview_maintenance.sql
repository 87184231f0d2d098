-- What each job of maintenance would find to do now, at most 10,000 of each; changes nothing.
--
--   memory_seconds, sessions_seconds, audit_seconds  double precision  as in MaintenanceSettings; audit 0: never
--   days_ahead  integer
--
-- Returns rows: job, count. One snapshot.
SELECT found.job, found.count
FROM (
    SELECT 'recover_leases' AS job, count(*) AS count
    FROM taskfleet.sessions
    JOIN taskfleet.kinds ON kinds.queue_id = sessions.queue_id
    JOIN taskfleet.leases ON leases.kind_id = kinds.id AND leases.session_id = sessions.id
    WHERE sessions.expires_at <= clock_timestamp()
    UNION ALL
    SELECT 'fold_ledgers', (SELECT count(*) FROM (SELECT FROM taskfleet.backlog_ledger LIMIT 10000) AS deltas)
        + (SELECT count(*) FROM (SELECT FROM taskfleet.outcome_ledger LIMIT 10000) AS deltas)
        + (SELECT count(*) FROM (SELECT FROM taskfleet.state_ledger LIMIT 10000) AS deltas)
    UNION ALL
    SELECT 'time_out_running', count(*)
    FROM taskfleet.leases
    WHERE leases.deadline_at <= clock_timestamp()
    UNION ALL
    SELECT 'expire_waiting', coalesce(sum(part.matched), 0)
    FROM taskfleet.kinds
    JOIN taskfleet.queues ON queues.id = kinds.queue_id
    CROSS JOIN (VALUES (false), (true)) AS parts (tried)
    CROSS JOIN LATERAL taskfleet.sweep_waiting_v1(
        kinds.id, NULL, clock_timestamp() - make_interval(secs => taskfleet.waiting_limit_seconds(queues)), parts.tried, '-infinity', 0, 10000, NULL
    ) AS part
    WHERE NOT (queues.held OR queues.paused OR kinds.paused)
      AND queues.policy_written_at IS NOT NULL
      -- No time before it was resumed counts.
      AND coalesce(
          greatest(queues.resumed_at, kinds.resumed_at) < clock_timestamp() - make_interval(secs => taskfleet.waiting_limit_seconds(queues)),
          true
      )
    UNION ALL
    SELECT 'trim_dead_letters', coalesce(sum(letters.count), 0)
    FROM taskfleet.kinds
    JOIN taskfleet.queues ON queues.id = kinds.queue_id
    CROSS JOIN LATERAL (
        SELECT count(*) AS count
        FROM (
            SELECT
            FROM taskfleet.dead_letters
            WHERE dead_letters.kind_id = kinds.id
              AND dead_letters.failed_at < now() - make_interval(secs => queues.failed_retention_seconds)
            LIMIT 10000
        ) AS old
    ) AS letters
    UNION ALL
    SELECT 'trim_memory', (SELECT count(*) FROM taskfleet.missing_entities WHERE missing_entities.until < now())
        + (SELECT count(*) FROM taskfleet.sessions WHERE sessions.expires_at < now() - make_interval(secs => %(sessions_seconds)s::double precision))
        + (SELECT count(*) FROM taskfleet.outcome_minutes WHERE outcome_minutes.minute < now() - make_interval(secs => %(memory_seconds)s::double precision))
        + (SELECT count(*) FROM taskfleet.decisions WHERE decisions.decided_at < now() - make_interval(secs => %(memory_seconds)s::double precision))
    UNION ALL
    SELECT 'trim_audit', count(*)
    FROM (
        SELECT
        FROM taskfleet.audit_log
        WHERE audit_log.at < now() - make_interval(secs => nullif(%(audit_seconds)s::double precision, 0))
        LIMIT 10000
    ) AS old
    UNION ALL
    SELECT 'run_schedules', count(*)
    FROM taskfleet.schedules
    WHERE schedules.next_at <= clock_timestamp()
    UNION ALL
    SELECT 'carry_out_requests', (SELECT count(*) FROM taskfleet.paused_groups WHERE paused_groups.state <> 'paused')
        + (
            SELECT count(*)
            FROM taskfleet.cancel_requests
            WHERE NOT EXISTS (SELECT FROM taskfleet.leases WHERE leases.task_id = cancel_requests.task_id)
        )
    UNION ALL
    SELECT 'create_partitions', count(*)
    FROM unnest(ARRAY['attempts', 'succeeded_tasks', 'audit_log']) AS relations (relation)
    CROSS JOIN generate_series(-1, %(days_ahead)s::integer) AS days (ahead)
    WHERE NOT EXISTS (
        SELECT
        FROM pg_class
        WHERE pg_class.relnamespace = (SELECT home.relnamespace FROM pg_class AS home WHERE home.oid = 'taskfleet.tasks'::regclass)
          AND pg_class.relname = relation || '_' || to_char(now() AT TIME ZONE 'UTC' + make_interval(days => ahead), 'YYYYMMDD')
    )
) AS found
ORDER BY found.job;
