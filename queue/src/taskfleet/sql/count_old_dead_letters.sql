-- How many failed and cancelled tasks of one kind ended before a moment.
--
--   kind_id        integer
--   failed_before  timestamptz
--
-- Returns one row: the number. Index: dead_letters_by_kind.
SELECT count(*)
FROM taskfleet.dead_letters
WHERE dead_letters.kind_id = %(kind_id)s::integer
  AND dead_letters.failed_at < %(failed_before)s::timestamptz;
