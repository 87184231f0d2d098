"""The databases of the queues: one link each, looked at together, none of them able to delay another.

Only stores of `taskfleet` speak SQL; here is when to look, what to write, and what a failure means.
"""
