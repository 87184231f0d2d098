-- Take the idempotency keys of a batch of new tasks.
--
--   kind_ids  integer[]  the kind of each
--   keys      text[]     the key of each
--   task_ids  bigint[]   the reserved id of each
--
-- Returns one row per (kind_id, key) that has a holder in sight: kind_id, key, task_id. A task whose own id comes back holds its key; one
-- that gets another id is a duplicate of that task; one that is missing met a key committed after this statement's snapshot: ask again.
-- In order of kind and key, so that two batches with the same keys wait for each other instead of deadlocking.
WITH given AS MATERIALIZED (
    SELECT DISTINCT ON (kind_id, key) kind_id, key, task_id
    FROM unnest(%(kind_ids)s::integer[], %(keys)s::text[], %(task_ids)s::bigint[]) AS given (kind_id, key, task_id)
    ORDER BY kind_id, key, task_id
),
claimed AS (
    INSERT INTO taskfleet.idempotency_keys (kind_id, key, task_id)
    SELECT kind_id, key, task_id
    FROM given
    ORDER BY kind_id, key
    ON CONFLICT (kind_id, key) DO NOTHING
    RETURNING kind_id, key, task_id
)
SELECT kind_id, key, task_id
FROM claimed
UNION ALL
SELECT held.kind_id, held.key, held.task_id
FROM given
JOIN taskfleet.idempotency_keys AS held ON held.kind_id = given.kind_id AND held.key = given.key;
