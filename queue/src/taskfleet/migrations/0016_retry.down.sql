DROP FUNCTION taskfleet.retry_v1(bigint[]);
