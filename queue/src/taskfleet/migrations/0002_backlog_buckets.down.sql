DROP FUNCTION taskfleet.low_water_marks_v1(integer[], timestamptz);
DROP FUNCTION taskfleet.backlog_bucket(timestamptz, timestamptz);
