"""The parts of one pass over the fleet: what is known, what is seen, what is decided, what came of it. `reconcile` puts them in order.

Values and pure functions, but for the set of known TaskQueues and the notes from tick to tick.
"""
