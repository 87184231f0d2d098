-- Recurring tasks: what to enqueue, and when next.

CREATE TABLE taskfleet.schedules (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue_id integer NOT NULL REFERENCES taskfleet.queues (id),
    name text NOT NULL CHECK (name <> ''),
    cron text NOT NULL,
    time_zone text NOT NULL,
    task jsonb NOT NULL,
    next_at timestamptz NOT NULL,
    last_at timestamptz,
    last_task_id bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (queue_id, name)
) WITH (fillfactor = 50);
COMMENT ON TABLE taskfleet.schedules IS 'Recurring tasks. next_at moves on in the transaction that enqueues, so that each tick is one task, whoever runs maintenance.';
COMMENT ON COLUMN taskfleet.schedules.task IS 'What is enqueued: kind, payload, priority, group, entity, headers, max_attempts.';
-- What is due.
CREATE INDEX schedules_by_next ON taskfleet.schedules (next_at);

-- Enqueue what a schedule says for the tick it waits for, and let it wait for the next. False: somebody has done it already; NULL: the queue
-- did not take the task, this tick is left out.
--
--   given_id     integer
--   due_at       timestamptz  next_at as the caller saw it: it works for that tick only
--   tick_at      timestamptz  the tick that the task is for: the latest that is due, however many were missed
--   following    timestamptz  the first tick after it that is not due yet
CREATE FUNCTION taskfleet.run_schedule_v1(given_id integer, due_at timestamptz, tick_at timestamptz, following timestamptz) RETURNS boolean
LANGUAGE plpgsql
AS $$
DECLARE
    due record;
BEGIN
    SELECT schedules.name, schedules.task, queues.name AS queue
    INTO due
    FROM taskfleet.schedules JOIN taskfleet.queues ON queues.id = schedules.queue_id
    WHERE schedules.id = given_id
      AND schedules.next_at = due_at
    FOR UPDATE OF schedules SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE taskfleet.schedules
    SET next_at = following,
        last_at = tick_at,
        last_task_id = (
            SELECT enqueued.task_id
            FROM taskfleet.enqueue(
                due.queue,
                due.task ->> 'kind',
                CASE WHEN jsonb_typeof(due.task -> 'payload') <> 'null' THEN due.task -> 'payload' END,
                priority => (due.task ->> 'priority')::integer,
                group_name => due.task ->> 'group',
                entity => due.task ->> 'entity',
                headers => coalesce(due.task -> 'headers', '{}') || jsonb_build_object(
                    'schedule', due.name, 'tick', to_char(tick_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                ),
                max_attempts => (due.task ->> 'max_attempts')::integer
            ) AS enqueued
        )
    WHERE schedules.id = given_id;
    RETURN true;
EXCEPTION
    WHEN SQLSTATE 'TQ001' OR invalid_parameter_value THEN
        -- No room, or the task does not fit into its queue any more: this tick is left out, the next is tried.
        UPDATE taskfleet.schedules SET next_at = following WHERE schedules.id = given_id;
        RETURN NULL;
END;
$$;
