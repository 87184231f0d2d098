-- Write down what is done, in the transaction that does it.
--
--   actor, action, batch, queue, kind, group, trace_id, task_id, outcome, detail
--
-- Returns nothing.
INSERT INTO taskfleet.audit_log (actor, action, batch, queue, kind, group_name, trace_id, task_id, outcome, detail)
VALUES (
    %(actor)s::text, %(action)s::text, %(batch)s::uuid, %(queue)s::text, %(kind)s::text, %(group)s::text, %(trace_id)s::text,
    %(task_id)s::bigint, %(outcome)s::text, %(detail)s::jsonb
);
