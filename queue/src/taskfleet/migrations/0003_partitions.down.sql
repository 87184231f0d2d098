DROP FUNCTION taskfleet.create_partitions_v1(date, integer);
