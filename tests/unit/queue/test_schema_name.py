import pytest

from taskfleet.errors import SettingsError
from taskfleet.schema_name import in_schema, validated_schema


@pytest.mark.parametrize("name", ["taskfleet", "_jobs2", "x" * 48])
def test_plain_identifiers_are_allowed(name: str) -> None:
    assert validated_schema(name) == name


@pytest.mark.parametrize("name", ["", "Jobs", "2jobs", "a-b", 'a"b', "a.b", "public", "pg_jobs", "information_schema", "x" * 49, "a\n"])
def test_other_names_are_refused_with_what_is_allowed(name: str) -> None:
    with pytest.raises(SettingsError, match="1 to 48 of a-z, 0-9 and _") as caught:
        validated_schema(name)

    assert repr(name) in str(caught.value)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param("SELECT id FROM taskfleet.tasks", 'SELECT id FROM "jobs".tasks', id="a relation"),
        pytest.param("SELECT nextval('taskfleet.tasks_id_seq')", "SELECT nextval('\"jobs\".tasks_id_seq')", id="a name in a text"),
        pytest.param("(taskfleet.f(x))", '("jobs".f(x))', id="a function"),
        pytest.param("CREATE SCHEMA taskfleet;", 'CREATE SCHEMA "jobs";', id="the schema itself"),
        pytest.param("DROP SCHEMA IF EXISTS taskfleet CASCADE", 'DROP SCHEMA IF EXISTS "jobs" CASCADE', id="the schema, if it exists"),
        pytest.param("LISTEN taskfleet_queue", "LISTEN taskfleet_queue", id="a name that only begins like it"),
        pytest.param("SELECT mytaskfleet.x, a.taskfleet.y", "SELECT mytaskfleet.x, a.taskfleet.y", id="other qualifiers"),
        pytest.param("-- see taskfleet. The end", "-- see taskfleet. The end", id="prose"),
    ],
)
def test_the_qualifier_is_replaced_and_nothing_else(written: str, expected: str) -> None:
    assert in_schema(written, "jobs") == expected


def test_the_default_schema_leaves_the_text_as_it_is() -> None:
    text = "SELECT id FROM taskfleet.tasks"

    assert in_schema(text, "taskfleet") is text


def test_a_name_that_is_no_identifier_never_reaches_the_text() -> None:
    with pytest.raises(SettingsError):
        in_schema("SELECT id FROM taskfleet.tasks", 'x"; DROP TABLE y; --')
