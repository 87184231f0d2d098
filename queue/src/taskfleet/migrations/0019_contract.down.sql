DROP FUNCTION taskfleet.close_session(uuid);
DROP FUNCTION taskfleet.mark_drained(uuid);
DROP FUNCTION taskfleet.release(bigint[], uuid[], text[], double precision[]);
DROP FUNCTION taskfleet.fail(bigint[], uuid[], text[], text[], text[], boolean[], text[]);
DROP FUNCTION taskfleet.complete(bigint[], uuid[], jsonb[]);
DROP FUNCTION taskfleet.renew(uuid, bigint[], uuid[]);
DROP FUNCTION taskfleet.claim(uuid, text[], integer, integer);
DROP FUNCTION taskfleet.open_session(uuid, text, text, integer, text[], double precision, text);
DROP FUNCTION taskfleet.announce(bigint[]);
DROP FUNCTION taskfleet.wake(text);
DROP FUNCTION taskfleet.enqueue(
    text, text, jsonb, integer, timestamptz, double precision, text, text, text, jsonb, integer, boolean
);
DROP FUNCTION taskfleet.require_room_v1(integer);
DROP FUNCTION taskfleet.create_kinds_v1(text, text[]);
DROP FUNCTION taskfleet.require_text_v1(text, text);
DROP FUNCTION taskfleet.require_parallel_v1(text, integer, integer);
