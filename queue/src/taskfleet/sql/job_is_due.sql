-- Whether a maintenance job has to run: nobody ran it lately.
--
--   job          text
--   due_seconds  double precision  how long ago it must have run last
--
-- Returns one row: due. Index: maintenance_jobs_pkey. Every process of a fleet asks this all the time, and nearly always it is not: one
-- statement without a transaction around it, which begin_job repeats under the lock.
SELECT NOT EXISTS (
    SELECT
    FROM taskfleet.maintenance_jobs
    WHERE maintenance_jobs.job = %(job)s::text
      AND maintenance_jobs.ran_at > clock_timestamp() - make_interval(secs => %(due_seconds)s::double precision)
) AS due;
