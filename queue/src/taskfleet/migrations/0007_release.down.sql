DROP FUNCTION taskfleet.release_v1(bigint[], uuid[], text[], double precision[]);
DROP FUNCTION taskfleet.trace_id(jsonb);
