-- How our relations are doing, by the server's statistics.
--
-- Returns one row a relation: relation, live_rows, dead_rows, changed_rows, analyzed.
SELECT
    format('%I.%I', tables.schemaname, tables.relname) AS relation,
    tables.n_live_tup AS live_rows,
    tables.n_dead_tup AS dead_rows,
    tables.n_mod_since_analyze AS changed_rows,
    coalesce(tables.last_analyze, tables.last_autoanalyze) IS NOT NULL AS analyzed
FROM pg_stat_user_tables AS tables
JOIN pg_class ON pg_class.oid = tables.relid
WHERE pg_class.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'taskfleet.tasks'::regclass)
  AND pg_class.relkind = 'r'
ORDER BY tables.relname;
