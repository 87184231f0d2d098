"""Benchmarks: `python -m benchmarks.NAME [--short] [--json FILE] [--assert]`, or all of them by `python -m benchmarks`.

Each module measures one thing, prints a table, and says for each goal whether it was met. What they share is in `frame`.
"""
