"""Tells people what the loop saw and did: conditions and status, events, metrics, log lines. All carry the decision's own words.

`events` and `metrics` only say; `reporter` decides what is new. Who listens (a cluster, nobody) is behind `Announcer`.
"""
