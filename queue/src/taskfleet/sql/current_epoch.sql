-- The epoch that policies must carry. Locked until the transaction ends, so that nobody takes the lead between this look and the write.
--
-- Returns one row: epoch.
SELECT epoch
FROM taskfleet.leadership
FOR SHARE;
