DROP FUNCTION taskfleet.enqueue_v1(
    integer, jsonb, jsonb, smallint, timestamptz, double precision, text, text, text, integer, boolean
);
