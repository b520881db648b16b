"""Common parts of all subjects: the prefix of variables, the base model and the error."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

PREFIX = "IDEAMINT_"


class SettingsError(Exception):
    """A setting is invalid; the message states the variable, the reason and the expected value."""


class Subject(BaseModel):
    """The settings of one subject.

    A field's variable is `IDEAMINT_<ALIAS>`, or `IDEAMINT_<NAME>` for a field without an alias. Fields with `repr=False`
    are secrets or URLs that may contain one; their values appear in no message.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_unset(cls, values: dict[str, Any]) -> dict[str, Any]:
        optional = {name for name, field in cls.variables().items() if cls.model_fields[field].default is None}
        return {name: value for name, value in values.items() if not (value == "" and name in optional)}

    @classmethod
    def variables(cls) -> dict[str, str]:
        """The field of each variable; names are without prefix and in lower case."""
        return {field.alias or name: name for name, field in cls.model_fields.items()}
