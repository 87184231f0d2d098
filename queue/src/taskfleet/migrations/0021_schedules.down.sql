-- loses recurring schedules: SELECT 1 FROM taskfleet.schedules
DROP FUNCTION taskfleet.run_schedule_v1(integer, timestamptz, timestamptz, timestamptz);
DROP TABLE taskfleet.schedules;
