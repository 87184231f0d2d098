"""Why a queue could not be seen or followed: errors become a reason for its conditions, and a sentence."""

from dataclasses import dataclass
from typing import Final

from taskfleet.errors import SchemaMissingError, SchemaTooNewError, SettingsError
from taskfleet_operator.api.conditions import ConditionReason
from taskfleet_operator.errors import ObjectInvalidError, QueueHeldError, SecretMissingError, SpecInvalidError, WorkerTemplateError


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What stands between the operator and one queue."""

    reason: ConditionReason
    message: str


_REASONS: Final[tuple[tuple[type[Exception], ConditionReason], ...]] = (
    (SchemaMissingError, ConditionReason.SCHEMA_MISSING),
    (SchemaTooNewError, ConditionReason.SCHEMA_TOO_NEW),
    (SecretMissingError, ConditionReason.SECRET_MISSING),
    (QueueHeldError, ConditionReason.QUEUE_HELD),
    (SpecInvalidError, ConditionReason.SPEC_INVALID),
    (WorkerTemplateError, ConditionReason.SPEC_INVALID),
    (SettingsError, ConditionReason.SECRET_MISSING),
)


def trouble_with_database(error: Exception) -> Trouble:
    """Say why a look at a database failed; what is not known better means that it cannot be reached."""
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return Trouble(reason=reason, message=str(error))
    return Trouble(reason=ConditionReason.DATABASE_UNREACHABLE, message=_sentence(error))


def trouble_with_target(error: Exception) -> Trouble:
    """Say why a write to the cluster or the machine failed."""
    of_the_spec = isinstance(error, SpecInvalidError | WorkerTemplateError | ObjectInvalidError)
    return Trouble(reason=ConditionReason.SPEC_INVALID if of_the_spec else ConditionReason.OPERATION_FAILED, message=_sentence(error))


def _sentence(error: Exception) -> str:
    return str(error) or type(error).__name__
