-- Dead letters of a queue in numbers.
--
--   queue   text     name of the queue
--   newest  integer  how many of the newest are looked at for fingerprints, which cost some 20 microseconds each
--   top     integer  most groups, codes and fingerprints
--
-- Returns rows: what, name, count; most first. what is total, kind, group, code, reason, age (name: the index of a bound of the time from
-- when the task was due until it failed: 60, 900, 3600, 21600, 86400, 172800 seconds, 6 for more) or fingerprint.
-- Reads the queue's dead letters once, newest first where that is enough. Indexes: dead_letters_by_kind.
WITH wanted AS MATERIALIZED (
    SELECT kinds.id, kinds.name
    FROM taskfleet.kinds
    JOIN taskfleet.queues ON queues.id = kinds.queue_id
    WHERE queues.name = %(queue)s::text
),
letters AS (
    SELECT
        wanted.name AS kind,
        dead_letters.group_name,
        dead_letters.code,
        dead_letters.reason,
        width_bucket(
            extract(epoch FROM dead_letters.failed_at - dead_letters.due_since)::double precision,
            ARRAY[60, 900, 3600, 21600, 86400, 172800]::double precision[]
        ) AS age
    FROM wanted
    JOIN taskfleet.dead_letters ON dead_letters.kind_id = wanted.id
),
counted AS (
    SELECT
        CASE
            WHEN grouping(kind) = 0 THEN 'kind'
            WHEN grouping(group_name) = 0 THEN 'group'
            WHEN grouping(code) = 0 THEN 'code'
            WHEN grouping(reason) = 0 THEN 'reason'
            WHEN grouping(age) = 0 THEN 'age'
            ELSE 'total'
        END AS what,
        coalesce(kind, group_name, code, reason, age::text) AS name,
        count(*) AS count
    FROM letters
    GROUP BY GROUPING SETS ((kind), (group_name), (code), (reason), (age), ())
),
newest AS (
    SELECT letter.code, letter.message
    FROM wanted
    CROSS JOIN LATERAL (
        SELECT dead_letters.code, dead_letters.message, dead_letters.failed_at
        FROM taskfleet.dead_letters
        WHERE dead_letters.kind_id = wanted.id
        ORDER BY dead_letters.failed_at DESC, dead_letters.task_id DESC
        LIMIT %(newest)s::integer
    ) AS letter
    ORDER BY letter.failed_at DESC
    LIMIT %(newest)s::integer
),
everything AS (
    SELECT counted.what, counted.name, counted.count
    FROM counted
    WHERE counted.name IS NOT NULL OR counted.what = 'total'
    UNION ALL
    SELECT 'fingerprint', taskfleet.fingerprint(newest.code, newest.message), count(*)
    FROM newest
    GROUP BY 2
),
ranked AS (
    SELECT everything.*, row_number() OVER (PARTITION BY everything.what ORDER BY everything.count DESC, everything.name) AS place
    FROM everything
)
SELECT ranked.what, ranked.name, ranked.count
FROM ranked
WHERE ranked.place <= %(top)s::integer OR ranked.what IN ('kind', 'age', 'reason')
ORDER BY ranked.what, ranked.count DESC, ranked.name;
