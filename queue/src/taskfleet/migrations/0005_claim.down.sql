DROP FUNCTION taskfleet.claim_v1(uuid, text[], integer, text[], smallint[], timestamptz[], integer);
