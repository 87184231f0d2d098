DROP FUNCTION taskfleet.complete_v1(bigint[], uuid[], jsonb[]);
