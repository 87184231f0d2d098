import pytest

from taskfleet.errors import DatabaseUnreachableError, SchemaMissingError, SchemaTooNewError, SettingsError
from taskfleet_operator.api.conditions import ConditionReason
from taskfleet_operator.errors import ClusterUnreachableError, ObjectInvalidError, QueueHeldError, SecretMissingError, SpecInvalidError
from taskfleet_operator.trouble import trouble_with_database, trouble_with_target


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (DatabaseUnreachableError("away"), ConditionReason.DATABASE_UNREACHABLE),
        (SchemaMissingError(schema="taskfleet"), ConditionReason.SCHEMA_MISSING),
        (SchemaTooNewError(schema="taskfleet", found=9, known=8), ConditionReason.SCHEMA_TOO_NEW),
        (SecretMissingError("no Secret"), ConditionReason.SECRET_MISSING),
        (SettingsError("no URL"), ConditionReason.SECRET_MISSING),
        (QueueHeldError(queue="naps"), ConditionReason.QUEUE_HELD),
        (TimeoutError(), ConditionReason.DATABASE_UNREACHABLE),
    ],
)
def test_trouble_with_a_database_has_its_reason_and_keeps_the_words(error: Exception, expected: ConditionReason) -> None:
    trouble = trouble_with_database(error)

    assert (trouble.reason, trouble.message) == (expected, str(error) or "TimeoutError")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SpecInvalidError("media/naps", []), ConditionReason.SPEC_INVALID),
        (ObjectInvalidError("image: Required value"), ConditionReason.SPEC_INVALID),
        (ClusterUnreachableError("away"), ConditionReason.OPERATION_FAILED),
    ],
)
def test_trouble_with_workers_is_the_specs_or_the_worlds(error: Exception, expected: ConditionReason) -> None:
    assert trouble_with_target(error).reason is expected
