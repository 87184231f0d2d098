from tests.support.command_line import taskfleet

__all__ = ["taskfleet"]
