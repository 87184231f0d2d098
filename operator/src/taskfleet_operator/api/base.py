"""What every model of the resource shares: strictness, names in camelCase, and rules that hold between fields."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, field_validator, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What must hold between the fields of one object: once in CEL for the API server, once in Python for everyone else."""

    cel: str
    message: str
    """What is allowed, as a sentence; the API server shows it too."""
    holds: Callable[[Any], bool]
    """The Python twin: gets the model, with defaults filled in as the API server does before it asks CEL."""


class ApiModel(BaseModel):
    """An object of the resource: immutable, strict about types, and read by its camelCase names only.

    Strict means what the schema in the API server means: "4" is no integer, 4.0 is one, null is no value.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        frozen=True,
        strict=True,
        extra="ignore",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()

    @field_validator("*", mode="before")
    @classmethod
    def _as_json_means_it(cls, value: object) -> object:
        if value is None:
            raise PydanticCustomError("null", "null is no value: leave the field out")
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return value

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        for rule in self.rules:
            if not rule.holds(self):
                raise PydanticCustomError("rule", "{message}", {"message": rule.message})
        return self
