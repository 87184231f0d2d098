-- The payloads of a batch of new tasks; their ids were reserved before (reserve_tasks.sql).
COPY taskfleet.tasks (id, kind_id, max_attempts, wants_result, created_at, payload, headers, group_name, entity, idempotency_key)
FROM STDIN;
