-- Go on with groups that are being paused or resumed.
--
--   limit  integer
--
-- Returns one row: how many tasks were looked at. Index: paused_groups_moving.
SELECT taskfleet.move_groups_v1(%(limit)s::integer);
