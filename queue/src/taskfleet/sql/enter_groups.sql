-- Which of these groups are paused; asked before tasks of them are stored in this transaction (enter_group_v1, migrations/0011_holding.up.sql).
--
--   kind_id  integer  a kind of the queue
--   groups   text[]
--
-- Returns one row a paused group: group_name.
SELECT given.group_name
FROM unnest(%(groups)s::text[]) AS given (group_name)
WHERE taskfleet.enter_group_v1(%(kind_id)s::integer, given.group_name);
