DROP FUNCTION taskfleet.expire_waiting_v1(integer, timestamptz, integer);
