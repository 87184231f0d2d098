DROP FUNCTION taskfleet.expire_waiting_v1(integer, timestamptz, integer);
DROP FUNCTION taskfleet.fail_v1(bigint[], uuid[], text[], text[], text[], boolean[], text[]);
DROP FUNCTION taskfleet.release_v1(bigint[], uuid[], text[], double precision[]);
DROP FUNCTION taskfleet.backoff_seconds(integer, double precision, double precision, double precision);
DROP FUNCTION taskfleet.trace_id(jsonb);
DROP FUNCTION taskfleet.complete_v1(bigint[], uuid[], jsonb[]);
