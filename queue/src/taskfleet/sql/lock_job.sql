-- Take the lock of a maintenance job until the transaction ends, if nobody else is at it.
--
--   job  text
--
-- Returns one row: whether it is ours.
SELECT pg_try_advisory_xact_lock(taskfleet.lock_class('job'), hashtext(%(job)s::text));
