-- Write new tasks that were put aside into the ledgers, in the transaction that stores them.
--
--   kind_ids  integer[]    kinds
--   counts    integer[]    with how many tasks
--   now       timestamptz  as reserve_tasks.sql returned it
--
-- Returns nothing.
WITH given AS MATERIALIZED (
    SELECT kind_id, count
    FROM unnest(%(kind_ids)s::integer[], %(counts)s::integer[]) AS given (kind_id, count)
),
counted AS (
    INSERT INTO taskfleet.state_ledger (kind_id, state, delta)
    SELECT kind_id, 'paused', count
    FROM given
)
INSERT INTO taskfleet.outcome_ledger (kind_id, minute, outcome, count)
SELECT kind_id, date_trunc('minute', %(now)s::timestamptz), 'enqueued', count
FROM given;
