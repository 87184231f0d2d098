-- Fold outcomes into minutes and into the totals that never fall.
--
--   limit  integer  most ledger rows
--
-- Returns one row: how many ledger rows were folded.
WITH taken AS (
    DELETE FROM taskfleet.outcome_ledger
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM taskfleet.outcome_ledger LIMIT %(limit)s::integer))
    RETURNING kind_id, minute, outcome, code, count, busy_seconds
),
minutes AS (
    INSERT INTO taskfleet.outcome_minutes AS known (kind_id, minute, outcome, code, count, busy_seconds)
    SELECT taken.kind_id, taken.minute, taken.outcome, taken.code, sum(taken.count), sum(taken.busy_seconds)
    FROM taken
    GROUP BY 1, 2, 3, 4
    ON CONFLICT (kind_id, minute, outcome, code) DO UPDATE
    SET count = known.count + excluded.count,
        busy_seconds = known.busy_seconds + excluded.busy_seconds
),
totals AS (
    INSERT INTO taskfleet.outcome_totals AS known (kind_id, outcome, code, count, busy_seconds)
    SELECT taken.kind_id, taken.outcome, taken.code, sum(taken.count), sum(taken.busy_seconds)
    FROM taken
    GROUP BY 1, 2, 3
    ON CONFLICT (kind_id, outcome, code) DO UPDATE
    SET count = known.count + excluded.count,
        busy_seconds = known.busy_seconds + excluded.busy_seconds
)
SELECT count(*) FROM taken;
