-- The newest migration that is applied.
--
-- Returns one row: version; 0 for an empty table.
SELECT coalesce(max(version), 0)
FROM taskfleet.migrations;
