DROP FUNCTION taskfleet.note_v1(bigint[], uuid[], jsonb[], double precision[]);
ALTER TABLE taskfleet.leases DROP COLUMN progress;
