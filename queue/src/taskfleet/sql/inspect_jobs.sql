-- When those jobs of maintenance ran last for which there is work: leases to look after, ledgers to fold.
--
-- Returns rows: job, seconds_ago (NULL: never).
SELECT
    wanted.job,
    (
        SELECT extract(epoch FROM clock_timestamp() - maintenance_jobs.ran_at)::double precision
        FROM taskfleet.maintenance_jobs
        WHERE maintenance_jobs.job = wanted.job
    ) AS seconds_ago
FROM (
    SELECT 'recover_leases' AS job
    WHERE EXISTS (SELECT FROM taskfleet.leases)
    UNION ALL
    SELECT 'fold_ledgers'
    WHERE EXISTS (SELECT FROM taskfleet.backlog_ledger)
       OR EXISTS (SELECT FROM taskfleet.outcome_ledger)
) AS wanted
ORDER BY wanted.job;
