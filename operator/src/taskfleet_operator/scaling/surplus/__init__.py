"""Scaling down: which slots nobody needs, and which workers leave. Never by ending a running task."""
