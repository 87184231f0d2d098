DROP FUNCTION taskfleet.drop_day_v1(text, double precision);
