DROP FUNCTION taskfleet.fail_v1(bigint[], uuid[], text[], text[], text[], boolean[], text[]);
DROP FUNCTION taskfleet.backoff_seconds(integer, double precision, double precision, double precision);
