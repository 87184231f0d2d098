"""A simulator for scaling laws: event-driven, exact in time, the same answer for the same seed. Standard library only.

What may live here: workloads, the stand-ins for pods, queue and downstream, controllers beside our own, and what a run is measured by.
It knows the scaling law by its public values only, so what it tests is what the operator runs.
"""
