-- Go after requests to cancel that no heartbeat will answer.
--
--   limit  integer
--
-- Returns one row: how many. Index: cancel_requests_pkey.
SELECT taskfleet.sweep_cancel_requests_v1(%(limit)s::integer);
