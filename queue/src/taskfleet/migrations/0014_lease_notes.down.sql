-- loses the progress that running tasks told: SELECT 1 FROM taskfleet.leases WHERE progress IS NOT NULL
DROP FUNCTION taskfleet.note_v1(bigint[], uuid[], jsonb[], double precision[]);
ALTER TABLE taskfleet.leases DROP COLUMN progress;
