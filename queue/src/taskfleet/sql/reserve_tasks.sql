-- Ids for a batch of new tasks, and the moment they are enqueued at.
--
--   count     integer    how many
--   kind_ids  integer[]  the kinds they are of
--
-- Returns one row: task_ids bigint[], now timestamptz, kinds_known. Not known: a kind is gone (its creation was rolled back).
-- Not from the transaction's clock: what a long transaction enqueues has not waited since its start.
SELECT
    array(SELECT nextval('taskfleet.tasks_id_seq') FROM generate_series(1, %(count)s::integer)) AS task_ids,
    clock_timestamp() AS now,
    NOT EXISTS (
        SELECT
        FROM unnest(%(kind_ids)s::integer[]) AS given (kind_id)
        WHERE NOT EXISTS (SELECT FROM taskfleet.kinds WHERE kinds.id = given.kind_id)
    ) AS kinds_known;
