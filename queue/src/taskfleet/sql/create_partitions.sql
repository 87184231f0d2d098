-- Make the daily partitions of the coming days where they are missing; yesterday's too, for a clock that is set back.
--
--   days_ahead  integer
--
-- Returns one row: how many were made.
SELECT taskfleet.create_partitions_v2((now() AT TIME ZONE 'UTC')::date - 1, %(days_ahead)s::integer + 2);
