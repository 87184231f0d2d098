-- A worker process starts. Its queue and kinds exist (create_kinds.sql).
--
--   session        uuid     new for each process start
--   queue          text     name of its queue
--   worker         text     label: pod name, or host and process
--   pod_uid        text     NULL outside Kubernetes
--   slots          integer  tasks it runs at once
--   kinds          text[]   what it has handlers for
--   lease_seconds  double precision  how long it lives without a heartbeat
--
-- Returns nothing.
INSERT INTO taskfleet.sessions (id, queue_id, worker, pod_uid, slots, kinds, lease_seconds, heartbeat_at, expires_at)
SELECT
    %(session)s::uuid, queues.id, %(worker)s::text, %(pod_uid)s::text, %(slots)s::integer, %(kinds)s::text[],
    %(lease_seconds)s::double precision, now(), now() + make_interval(secs => %(lease_seconds)s::double precision)
FROM taskfleet.queues
WHERE queues.name = %(queue)s::text
ON CONFLICT (id) DO NOTHING;
