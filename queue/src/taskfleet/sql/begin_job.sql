-- Start a batch of a maintenance job, if it is due and nobody else is at it. The lock lasts until the transaction ends.
--
--   job          text
--   due_seconds  double precision  how long ago it must have run last; 0: go on with a run that was not done
--
-- Returns one row when the caller may go on. The look comes before the lock, so that a fleet that asks all the time writes nothing.
WITH due AS (
    SELECT pg_try_advisory_xact_lock(taskfleet.lock_class('job'), hashtext(%(job)s::text)) AS mine
    WHERE NOT EXISTS (
        SELECT
        FROM taskfleet.maintenance_jobs
        WHERE maintenance_jobs.job = %(job)s::text
          AND maintenance_jobs.ran_at > clock_timestamp() - make_interval(secs => %(due_seconds)s::double precision)
    )
)
INSERT INTO taskfleet.maintenance_jobs AS known (job, ran_at)
SELECT %(job)s::text, clock_timestamp()
FROM due
WHERE due.mine
ON CONFLICT (job) DO UPDATE
SET ran_at = excluded.ran_at,
    runs = known.runs + 1
RETURNING known.job;
