"""What every group of settings is: fields that are read together, each described by the string below it."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from workers.settings import kinds
from workers.settings.sources import SettingsError, given, variable_name


class Group(BaseModel):
    """Settings that belong together; the first line of its docstring is their heading in the reference."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=variable_name,
        hide_input_in_errors=True,
        validate_default=True,
        # A process builds the one class that it loads.
        defer_build=True,
    )

    _skip_empty = model_validator(mode="before")(kinds.empty_is_missing)

    @classmethod
    def load(cls) -> Self:
        """Read the environment, ``.env`` in the working folder behind it, and files of secrets behind both.

        Raises:
            SettingsError: Something is missing or malformed; all of it is listed.
        """
        try:
            return cls.model_validate(given(cls.variables()))
        except ValidationError as error:
            raise _refusal(error, cls.variables()) from None

    @classmethod
    def variables(cls) -> dict[str, str]:
        """The fields' names, by variable."""
        return {variable_name(field): field for field in cls.model_fields}


def _refusal(error: ValidationError, variables: dict[str, str]) -> SettingsError:
    problems = error.errors(include_url=False, include_input=False)
    missing = [str(p["loc"][0]) for p in problems if p["type"] == "missing"]
    malformed = {
        _variable(p["loc"], variables): p["msg"].removeprefix("Value error, ")
        for p in problems
        if p["type"] != "missing"
    }
    count = len(missing) + len(malformed)
    lines = [
        f"The fleet cannot start: {count} setting{'s are' if count > 1 else ' is'} missing or malformed.",
        *(f"  {name:30} is not set" for name in missing),
        *(f"  {name:30} {told}".rstrip() for name, told in malformed.items()),
        "Set them in the environment, in .env or in files of secrets; docs/configuration.md describes each.",
    ]
    return SettingsError("\n".join(lines), frozenset(malformed))


def _variable(location: tuple[int | str, ...], variables: dict[str, str]) -> str:
    """The variable that a problem is about; a default that does not hold is told by its field's name."""
    name = str(location[0]) if location else ""
    return variable_name(name) if name in variables.values() else name
