-- Enqueue the task of one tick, once (migrations, run_schedule_v1).
--
--   id                        integer
--   due_at, tick_at, next_at  timestamptz  as seen; the tick it is for; the tick to wait for then
--
-- Returns one row: whether it was done here; NULL: the queue did not take the task.
SELECT taskfleet.run_schedule_v1(%(id)s::integer, %(due_at)s::timestamptz, %(tick_at)s::timestamptz, %(next_at)s::timestamptz);
