"""A PostgreSQL server of one's own, for the demo, the quick start and tests: started here, ended with the process that started it.

Only what starts, finds and stops server programs may live here; nothing that speaks SQL.
"""

from taskfleet.embedded.server import EmbeddedServer

__all__ = ["EmbeddedServer"]
