-- The newest migration that is applied, and the oldest release that works with those that the caller does not know.
--
--   known  integer  the newest migration that the caller knows
--
-- Returns one row: version, 0 for an empty table; works_from, NULL when there is none that the caller does not know. (A table that an
-- older release made has no column of that name.)
SELECT
    coalesce(max(version), 0),
    max(coalesce((to_jsonb(migrations) ->> 'works_from')::integer, version)) FILTER (WHERE version > %(known)s::integer)
FROM taskfleet.migrations;
