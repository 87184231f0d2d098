-- Tell whoever waits for their results that tasks have ended. Never in a transaction that writes tasks: its lock at commit would make all
-- such transactions wait for each other. Waits for no flush of the log: a notification is told to those who listen now.
--
--   channel   text
--   messages  text[]  ids with commas between, each less than 8,000 bytes
--
-- Returns rows of no meaning.
SELECT set_config('synchronous_commit', 'off', true), pg_notify(%(channel)s::text, message)
FROM unnest(%(messages)s::text[]) AS message;
