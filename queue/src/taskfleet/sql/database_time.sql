-- The database's clock.
--
-- Returns one row: now.
SELECT clock_timestamp() AS now;
