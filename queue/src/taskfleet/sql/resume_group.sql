-- Resume a group of a queue (migrations/0017_pausing.up.sql).
--
--   queue, group  text
--
-- Returns one row: changed, whether it was paused.
SELECT taskfleet.resume_group_v1(%(queue)s::text, %(group)s::text) AS changed;
