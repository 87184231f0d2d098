DROP FUNCTION taskfleet.clear_v1(text, text, text, bigint, bigint, integer);
DROP FUNCTION taskfleet.find_dead_letters_v1(text, text, text, text, text, text, bigint[], timestamptz, bigint, integer);
DROP FUNCTION taskfleet.fingerprint(text, text);
