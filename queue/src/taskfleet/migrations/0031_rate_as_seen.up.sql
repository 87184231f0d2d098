-- A rate holds as handlers see it, not only as claims do.
--
-- A handler begins a moment after its claim: later than usual on a busy machine, and then the interval that it sees is shorter than the one the
-- claims kept. Thirty-one of thirty starts in 60 s were witnessed, with the claims of the first and the last 61 s apart. One more sub-window
-- counts now, so that a handler may be late by a twentieth of the period.
-- works from: 0030

-- What gated kinds may start now. The caller holds their advisory locks: this statement's snapshot is younger than the locks, so that
-- no lease or start of another claim is missed.
--
-- A rate is exact: no interval of one period holds more than `rate_starts` starts. The period is cut into 20 sub-windows; an interval of
-- one period touches at most 21 of them, so the starts of the current one and the 20 before count, and those of one more because a handler
-- begins later than its claim.
CREATE OR REPLACE FUNCTION taskfleet.claim_gates_v1(kind_ids integer[], now timestamptz) RETURNS SETOF taskfleet.claim_gate
LANGUAGE plpgsql
AS $$
BEGIN
    RETURN QUERY
    WITH rooms AS (
        SELECT
            kinds.id,
            least(kinds.max_concurrent, kinds.ceiling_slots)
                - (SELECT count(*)::integer FROM taskfleet.leases WHERE leases.kind_id = kinds.id) AS by_count,
            kinds.rate_starts - (
                SELECT coalesce(sum(kind_starts.starts), 0)::integer
                FROM taskfleet.kind_starts
                WHERE kind_starts.kind_id = kinds.id
                  AND kind_starts.window_end > taskfleet.rate_window_start(now, kinds.rate_period_seconds)
                      - make_interval(secs => kinds.rate_period_seconds * 21 / 20)
            ) AS by_rate,
            kinds.ceiling_slots < kinds.max_concurrent OR kinds.max_concurrent IS NULL AS breaker_first
        FROM taskfleet.kinds
        WHERE kinds.id = ANY (kind_ids)
    )
    SELECT
        rooms.id,
        greatest(least(rooms.by_count, rooms.by_rate), 0),
        CASE
            WHEN rooms.by_count IS NULL OR rooms.by_rate < rooms.by_count THEN 'rate'
            WHEN rooms.breaker_first THEN 'ceiling'
            ELSE 'quota'
        END
    FROM rooms;
END;
$$;
