"""What a worker does: the loops around the store, the running handlers, the way up and the way down.

Decisions live in `rules/`; what is told to people and Prometheus goes through `telemetry/`.
"""
