-- Drop a day's partition that nobody keeps, with the rights of the schema's owner (migrations, drop_day_v1).
--
--   partition      text
--   least_seconds  double precision  retention where no queue says more
--
-- Returns one row: the relation; NULL when the day stays.
SELECT taskfleet.drop_day_v1(%(partition)s::text, %(least_seconds)s::double precision);
