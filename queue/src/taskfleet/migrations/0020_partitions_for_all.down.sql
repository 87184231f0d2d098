DROP FUNCTION taskfleet.create_partitions_v2(date, integer);
