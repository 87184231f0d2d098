from tests.integration.migrations.roles import names, url_of
from tests.support.command_line import taskfleet

__all__ = ["names", "taskfleet", "url_of"]
