-- loses every queue with its policy, tasks and history: SELECT 1 FROM taskfleet.queues
-- The way back: everything of 0001, tasks included.
DROP TABLE taskfleet.maintenance_jobs;
DROP TABLE taskfleet.decisions, taskfleet.scaling_states, taskfleet.idempotency_keys, taskfleet.missing_entities;
DROP TABLE taskfleet.state_totals, taskfleet.state_ledger;
DROP TABLE taskfleet.outcome_totals, taskfleet.outcome_minutes, taskfleet.outcome_ledger;
DROP TABLE taskfleet.backlog_buckets, taskfleet.backlog_ledger;
DROP TABLE taskfleet.succeeded_tasks, taskfleet.attempts, taskfleet.dead_letters;
DROP TABLE taskfleet.sessions, taskfleet.leases, taskfleet.ready, taskfleet.tasks;
DROP TABLE taskfleet.leadership, taskfleet.kind_starts, taskfleet.kinds, taskfleet.queues;
