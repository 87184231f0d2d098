"""Scaling up: which waiting work counts, how many slots it needs by its deadline, and what else asks for slots."""
