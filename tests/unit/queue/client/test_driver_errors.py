import psycopg
import pytest
from psycopg import errors

from taskfleet.client.driver_errors import converted, converted_on_own_connection
from taskfleet.errors import DatabaseUnreachableError, InvalidTaskError, SchemaMissingError, TaskfleetError

URL = "postgresql://shop:hush-hush@db.example/orders"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(errors.UndefinedTable("no tasks"), SchemaMissingError, id="no table"),
        pytest.param(errors.InvalidSchemaName("no schema"), SchemaMissingError, id="no schema"),
        pytest.param(errors.UntranslatableCharacter("NUL"), InvalidTaskError, id="a character"),
        pytest.param(errors.StatementTooComplex("stack depth"), InvalidTaskError, id="too deep"),
        pytest.param(errors.AdminShutdown("going down"), DatabaseUnreachableError, id="a shutdown"),
        pytest.param(psycopg.OperationalError("server closed the connection"), DatabaseUnreachableError, id="a cut connection"),
        pytest.param(psycopg.InterfaceError("the connection is closed"), DatabaseUnreachableError, id="a closed connection"),
        pytest.param(errors.DeadlockDetected("deadlock"), TaskfleetError, id="a deadlock"),
        pytest.param(errors.InsufficientPrivilege("not yours"), TaskfleetError, id="missing rights"),
    ],
)
def test_the_drivers_errors_become_ours_on_our_connection(error: psycopg.Error, expected: type[TaskfleetError]) -> None:
    with pytest.raises(expected) as caught, converted_on_own_connection(url=URL, schema="taskfleet"):
        raise error

    assert type(caught.value) is expected
    assert caught.value.__cause__ is error
    assert "hush" not in str(caught.value)


def test_a_cut_connection_says_that_the_outcome_is_unknown() -> None:
    expected = "whether the task was stored is unknown; with an idempotency_key"

    with pytest.raises(DatabaseUnreachableError, match=expected), converted_on_own_connection(url=URL, schema="taskfleet"):
        raise psycopg.OperationalError


def test_errors_that_callers_handle_stay_the_drivers_on_their_connection() -> None:
    with pytest.raises(errors.SerializationFailure), converted(schema="taskfleet"):
        raise errors.SerializationFailure


def test_no_error_is_no_error() -> None:
    with converted_on_own_connection(url=URL, schema="taskfleet"):
        pass
