-- The failure ceiling of a queue and the probes of its breakers; what is not given is lifted.
--
--   queue      text
--   slots      integer    most running tasks of the queue, NULL: no ceiling
--   kinds      text[]     kinds whose breaker is open,
--   kind_slots integer[]  and what each may still run
--
-- Returns nothing. Writes only what changes: claims read these rows all the time.
WITH queue_row AS (
    SELECT queues.id, queues.ceiling_slots
    FROM taskfleet.queues
    WHERE queues.name = %(queue)s::text
),
of_queue AS (
    UPDATE taskfleet.queues
    SET ceiling_slots = %(slots)s::integer
    FROM queue_row
    WHERE queues.id = queue_row.id
      AND queues.ceiling_slots IS DISTINCT FROM %(slots)s::integer
),
wanted AS (
    SELECT kinds.id, given.slots
    FROM queue_row
    JOIN taskfleet.kinds ON kinds.queue_id = queue_row.id
    LEFT JOIN unnest(%(kinds)s::text[], %(kind_slots)s::integer[]) AS given (name, slots) ON given.name = kinds.name
    WHERE kinds.ceiling_slots IS DISTINCT FROM given.slots
)
UPDATE taskfleet.kinds
SET ceiling_slots = wanted.slots
FROM wanted
WHERE kinds.id = wanted.id;
