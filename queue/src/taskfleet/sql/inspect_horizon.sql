-- What keeps vacuum from removing dead rows of this database, furthest back first.
--
-- Returns rows: what, name, owner, state, seconds, transactions. No query text: it may hold payloads.
SELECT holders.what, holders.name, holders.owner, holders.state, holders.seconds, holders.transactions
FROM (
    SELECT
        'connection' AS what,
        activity.pid::text AS name,
        concat_ws(' as ', nullif(activity.application_name, ''), activity.usename) AS owner,
        coalesce(activity.state, 'unknown') AS state,
        extract(epoch FROM clock_timestamp() - activity.xact_start)::double precision AS seconds,
        greatest(age(activity.backend_xmin), age(activity.backend_xid)) AS transactions
    FROM pg_stat_activity AS activity
    WHERE activity.datname = current_database()
      AND activity.pid <> pg_backend_pid()
      AND activity.xact_start IS NOT NULL
      AND (activity.backend_xmin IS NOT NULL OR activity.backend_xid IS NOT NULL)
      AND activity.backend_type = 'client backend'
    UNION ALL
    SELECT
        'prepared transaction', prepared.gid, prepared.owner, 'prepared',
        extract(epoch FROM clock_timestamp() - prepared.prepared)::double precision, age(prepared.transaction)
    FROM pg_prepared_xacts AS prepared
    WHERE prepared.database = current_database()
    UNION ALL
    SELECT
        'replication slot', slots.slot_name, slots.slot_type, CASE WHEN slots.active THEN 'active' ELSE 'inactive' END, NULL, age(slots.xmin)
    FROM pg_replication_slots AS slots
    WHERE age(slots.xmin) > 1000000
) AS holders
ORDER BY holders.transactions DESC NULLS LAST
LIMIT 10;
