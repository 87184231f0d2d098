"""The operator that scales the workers of taskfleet."""
