"""All settings of one installation, composed of one model per subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from pydantic import ValidationError

from settings.addresses import AddressSettings
from settings.auth import AuthSettings, Registration
from settings.database import DatabaseSettings
from settings.installation import Environment, InstallationSettings
from settings.ledger import LedgerSettings
from settings.limits import LimitSettings
from settings.logs import LogSettings
from settings.mail import MailSettings
from settings.outgoing import OutgoingSettings
from settings.paths import PathSettings
from settings.redis import RedisSettings
from settings.sso import SsoSettings
from settings.storage import StorageSettings
from settings.subject import PREFIX, SettingsError, Subject

SUBJECTS: Mapping[str, type[Subject]] = {
    "installation": InstallationSettings,
    "paths": PathSettings,
    "database": DatabaseSettings,
    "redis": RedisSettings,
    "addresses": AddressSettings,
    "auth": AuthSettings,
    "sso": SsoSettings,
    "ledger": LedgerSettings,
    "mail": MailSettings,
    "outgoing": OutgoingSettings,
    "storage": StorageSettings,
    "limits": LimitSettings,
    "logs": LogSettings,
}

PRODUCTION_DEFAULTS: Mapping[str, Any] = {"registration": Registration.INVITATION}
"""Defaults of a production installation that differ from those of the subjects."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one installation by subject. :func:`settings.load` reads them; tests may use :meth:`of`."""

    SECRETS: ClassVar = ("jwt_secret", "app_password", "dbt_password", "reader_password", "dagster_password")

    installation: InstallationSettings
    paths: PathSettings
    database: DatabaseSettings
    redis: RedisSettings
    addresses: AddressSettings
    auth: AuthSettings
    sso: SsoSettings
    ledger: LedgerSettings
    mail: MailSettings
    outgoing: OutgoingSettings
    storage: StorageSettings
    limits: LimitSettings
    logs: LogSettings
    _given: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def of(cls, **values: Any) -> Settings:
        """Settings from values by variable name (`database_url`), with defaults for the others; reads no environment and no file.

        Raises:
            SettingsError: a value is invalid, a name is unknown or, in production, a secret is missing.
        """
        if values.get("env") == Environment.PRODUCTION:
            values = {**PRODUCTION_DEFAULTS, **values}
        unknown = sorted(values.keys() - variables().keys())
        if unknown:
            msg = "\n".join(f"{PREFIX}{name.upper()}: there is no such setting" for name in unknown)
            raise SettingsError(msg)
        subjects: dict[str, Any] = {}
        problems: list[str] = []
        for name, subject in SUBJECTS.items():
            of_subject = {each: values[each] for each in subject.variables() if each in values}
            try:
                subjects[name] = subject.model_validate(of_subject)
            except ValidationError as error:
                problems += _explain(subject, error)
        if problems:
            raise SettingsError("\n".join(problems))
        # a relative folder is resolved once, so a later change of the working directory has no effect
        settings = cls(**subjects, _given={**values, "data_dir": subjects["paths"].data_dir})
        missing = settings.missing_secrets()
        if missing and settings.installation.environment is Environment.PRODUCTION:
            names = ", ".join(f"{PREFIX}{name.upper()}" for name in missing)
            msg = f"{names}: required when {PREFIX}ENV=production; set each to a random value of 32 or more characters"
            raise SettingsError(msg)
        return settings

    def with_(self, **changes: Any) -> Settings:
        """These settings with changed values by variable name; the result is validated.

        Raises:
            SettingsError: as :meth:`of`.
        """
        return Settings.of(**{**self._given, **changes})

    def missing_secrets(self) -> list[str]:
        """The names of secrets that are not set."""
        subject_of = variables()
        return [name for name in self.SECRETS if getattr(getattr(self, subject_of[name]), name) is None]


def variables() -> dict[str, str]:
    """The subject of each variable; names are without prefix and in lower case."""
    return {variable: name for name, subject in SUBJECTS.items() for variable in subject.variables()}


def confidential() -> list[str]:
    """The variables whose values appear in no message: secrets, and URLs that may contain one."""
    return [
        variable
        for subject in SUBJECTS.values()
        for variable, name in subject.variables().items()
        if not subject.model_fields[name].repr
    ]


def _explain(subject: type[Subject], error: ValidationError) -> list[str]:
    lines = []
    variable_of = {name: variable for variable, name in subject.variables().items()}
    for problem in error.errors():
        place = str(problem["loc"][0])
        variable = variable_of.get(place, place)  # pydantic names a default by its field, a given value by its alias
        field_info = subject.model_fields[subject.variables()[variable]]
        shown = f" (given: {problem['input']!r})" if field_info.repr else ""
        reason = problem["msg"].removeprefix("Value error, ")
        lines.append(f"{PREFIX}{variable.upper()}: {reason}{shown}; expected: {field_info.description}")
    return lines


assert SUBJECTS.keys() == {each.name for each in fields(Settings)} - {"_given"}
