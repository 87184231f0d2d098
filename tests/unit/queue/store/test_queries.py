import re

from taskfleet.store.queries import load_queries


def test_every_query_says_what_it_is_for() -> None:
    silent = [name for name, text in load_queries("taskfleet").items() if not text.startswith("-- ")]

    assert silent == []


def test_queries_name_the_schema_that_is_configured() -> None:
    left = [name for name, text in load_queries("jobs").items() if re.search(r"(?<![\w./])taskfleet\.[a-z]", text)]

    assert left == []
    assert '"jobs".sessions' in load_queries("jobs")["open_session"]
