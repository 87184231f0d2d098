DROP FUNCTION taskfleet.run_schedule_v1(integer, timestamptz, timestamptz, timestamptz);
DROP TABLE taskfleet.schedules;
