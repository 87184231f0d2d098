"""The worker runtime of taskfleet."""
