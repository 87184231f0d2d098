-- End tasks that waited longer than their queue allows. Time stands still for what is paused or held.
--
--   limit  integer  most of each kind
--
-- Returns one row: how many.
SELECT coalesce(sum(taskfleet.expire_waiting_v1(
    kinds.id, clock_timestamp() - make_interval(secs => queues.waiting_expiry_seconds), %(limit)s::integer
)), 0)
FROM taskfleet.kinds
JOIN taskfleet.queues ON queues.id = kinds.queue_id
WHERE NOT (queues.held OR queues.paused OR kinds.paused);
