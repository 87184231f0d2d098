-- The names of all queues of this database, in order.
SELECT name
FROM taskfleet.queues
ORDER BY name;
