-- The way back: as in migration 0004.
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
                      - make_interval(secs => kinds.rate_period_seconds)
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
