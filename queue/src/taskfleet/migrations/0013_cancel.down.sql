DROP FUNCTION taskfleet.heartbeat_v2(uuid, bigint[], uuid[]);
DROP FUNCTION taskfleet.sweep_cancel_requests_v1(integer);
DROP FUNCTION taskfleet.cancel_v1(bigint[]);
