DROP FUNCTION taskfleet.move_groups_v1(integer);
DROP FUNCTION taskfleet.put_aside_v1(bigint[], integer);
DROP FUNCTION taskfleet.move_group_v1(integer, text, integer);
DROP FUNCTION taskfleet.resume_group_v1(text, text);
DROP FUNCTION taskfleet.pause_group_v1(text, text);
DROP FUNCTION taskfleet.resume_v1(bigint[]);
DROP FUNCTION taskfleet.bring_back_v1(bigint[]);
DROP FUNCTION taskfleet.pause_v1(bigint[]);
