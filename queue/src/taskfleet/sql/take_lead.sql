-- An operator takes the lead in this database; from now on policies of a lower epoch are refused.
--
--   holder  text  who
--
-- Returns one row: the new epoch.
UPDATE taskfleet.leadership
SET epoch = leadership.epoch + 1,
    holder = %(holder)s::text,
    taken_at = now()
RETURNING leadership.epoch;
