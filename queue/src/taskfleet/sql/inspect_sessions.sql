-- Workers that were not heard of for a third of their lease or longer, and lost ones that still hold leases; longest silent first.
--
-- Returns rows: queue, worker, silent_seconds, lease_seconds, leases, expired.
SELECT
    queues.name AS queue,
    sessions.worker,
    extract(epoch FROM clock_timestamp() - sessions.heartbeat_at)::double precision AS silent_seconds,
    sessions.lease_seconds,
    held.leases,
    sessions.expires_at <= clock_timestamp() AS expired
FROM taskfleet.sessions
JOIN taskfleet.queues ON queues.id = sessions.queue_id
CROSS JOIN LATERAL (
    SELECT count(*) AS leases
    FROM taskfleet.leases
    WHERE leases.session_id = sessions.id
      AND leases.kind_id = ANY (ARRAY(SELECT kinds.id FROM taskfleet.kinds WHERE kinds.queue_id = sessions.queue_id))
) AS held
WHERE sessions.closed_at IS NULL
  AND sessions.heartbeat_at < clock_timestamp() - make_interval(secs => sessions.lease_seconds / 3)
  AND (held.leases > 0 OR sessions.expires_at > clock_timestamp())
ORDER BY silent_seconds DESC
LIMIT 100;
