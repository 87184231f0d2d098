-- Pause a group of a queue: from now on no task of it is claimed (migrations/0017_pausing.up.sql).
--
--   queue, group  text
--
-- Returns one row: changed, whether that is new.
SELECT taskfleet.pause_group_v1(%(queue)s::text, %(group)s::text) AS changed;
