DROP FUNCTION taskfleet.close_session_v1(uuid);
DROP FUNCTION taskfleet.heartbeat_v1(uuid, bigint[], uuid[]);
