import re

import pytest

from taskfleet.store.queries import load_queries


def test_every_query_says_what_it_is_for() -> None:
    silent = [name for name, text in load_queries("taskfleet").items() if not text.startswith("-- ")]

    assert silent == []


def test_queries_name_the_schema_that_is_configured() -> None:
    left = [name for name, text in load_queries("jobs").items() if re.search(r"(?<![\w./])taskfleet\.[a-z]", text)]

    assert left == []
    assert '"jobs".sessions' in load_queries("jobs")["open_session"]


def test_queries_are_a_mapping_of_all_that_there_are() -> None:
    queries = load_queries("taskfleet")

    assert len(queries) == len(list(queries)) > 100
    assert "claim_tasks" in queries


def test_a_query_that_is_not_there_is_no_key() -> None:
    with pytest.raises(KeyError, match="nothing"):
        _ = load_queries("taskfleet")["nothing"]
