"""Producers: what an application uses to put tasks into a queue and to look at them.

What to do is decided once, without I/O, in `validation`, `back_pressure` and `operations`; the two producers only carry it out, one
blocking, one async.
"""
