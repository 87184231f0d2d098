"""A durable task queue on PostgreSQL."""
