-- A worker process ends: what it still holds goes back, the session never lives again.
--
--   session  uuid
--
-- Returns one row: how many leases went back.
SELECT taskfleet.close_session_v1(%(session)s::uuid);
