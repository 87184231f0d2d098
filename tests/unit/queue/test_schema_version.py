from taskfleet.migrations import known_migrations
from taskfleet.schema_version import newest_version


def test_the_newest_version_is_the_number_of_the_newest_migration() -> None:
    assert newest_version() == known_migrations()[-1].version
