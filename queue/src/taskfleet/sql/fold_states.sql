-- Fold changes of finished tasks into their totals.
--
--   limit  integer  most ledger rows
--
-- Returns one row: how many ledger rows were folded.
WITH taken AS (
    DELETE FROM taskfleet.state_ledger
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM taskfleet.state_ledger LIMIT %(limit)s::integer))
    RETURNING kind_id, state, delta
),
totals AS (
    INSERT INTO taskfleet.state_totals AS known (kind_id, state, kept)
    SELECT taken.kind_id, taken.state, sum(taken.delta)
    FROM taken
    GROUP BY 1, 2
    ON CONFLICT (kind_id, state) DO UPDATE SET kept = known.kept + excluded.kept
)
SELECT count(*) FROM taken;
