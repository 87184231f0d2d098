-- Forget what is over: missing entities, decisions, minutes, and sessions that can hold no lease any more.
--
--   memory_seconds    double precision  age from which decisions and minutes go
--   sessions_seconds  double precision  age from which expired sessions go; far longer than any claim may take
--   limit             integer           most of each
--
-- Returns one row: how many.
WITH entities AS (
    DELETE FROM taskfleet.missing_entities
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM taskfleet.missing_entities WHERE missing_entities.until < now() LIMIT %(limit)s::integer FOR UPDATE SKIP LOCKED
    ))
      AND missing_entities.until < now()
    RETURNING 1
),
old_decisions AS (
    DELETE FROM taskfleet.decisions
    WHERE decisions.id = ANY (ARRAY(
        SELECT aged.id
        FROM taskfleet.queues
        CROSS JOIN LATERAL (
            SELECT decisions.id
            FROM taskfleet.decisions
            WHERE decisions.queue_id = queues.id
              AND decisions.decided_at < now() - make_interval(secs => %(memory_seconds)s::double precision)
            ORDER BY decisions.decided_at
            LIMIT %(limit)s::integer
        ) AS aged
    ))
    RETURNING 1
),
minutes AS (
    DELETE FROM taskfleet.outcome_minutes
    WHERE ctid = ANY (ARRAY(
        SELECT ctid
        FROM taskfleet.outcome_minutes
        WHERE outcome_minutes.minute < now() - make_interval(secs => %(memory_seconds)s::double precision)
        LIMIT %(limit)s::integer
    ))
    RETURNING 1
),
old_sessions AS (
    DELETE FROM taskfleet.sessions
    WHERE sessions.id = ANY (ARRAY(
        SELECT sessions.id
        FROM taskfleet.sessions
        WHERE sessions.expires_at < now() - make_interval(secs => %(sessions_seconds)s::double precision)
          AND NOT EXISTS (
              SELECT
              FROM taskfleet.leases
              WHERE leases.session_id = sessions.id
                AND leases.kind_id = ANY (ARRAY(SELECT kinds.id FROM taskfleet.kinds WHERE kinds.queue_id = sessions.queue_id))
          )
        LIMIT %(limit)s::integer
    ))
    RETURNING 1
)
SELECT (SELECT count(*) FROM entities) + (SELECT count(*) FROM old_decisions) + (SELECT count(*) FROM minutes) + (SELECT count(*) FROM old_sessions);
