"""Where settings come from: the environment, ``.env`` behind it, and files of secrets behind both."""

from __future__ import annotations

import os
from collections import ChainMap
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dotenv import dotenv_values

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

SECRETS_DIR: Final = "FLEET_SECRETS_DIR"
"""Names the folder of files. Not a setting: it says where settings are."""

USUAL_SECRETS: Final = Path("/run/secrets")
"""Where containers have theirs."""

_ENV_FILE: Final = Path(".env")

# The names that the platform and the ecosystem use already; every other one begins with FLEET_.
_SHARED_NAMES = frozenset(
    {
        *("database_url", "redis_url", "email_from", "app_url", "public_url"),
        *("sendgrid_api_key", "sendgrid_webhook_public_key", "sendgrid_base_url"),
        *("twilio_account_sid", "twilio_auth_token", "twilio_sms_phone", "twilio_whatsapp_phone"),
        *("stripe_secret_key", "stripe_webhook_secret", "twilio_base_url", "stripe_base_url"),
        *("otel_exporter_otlp_endpoint", "sentry_dsn"),
    }
)


class SettingsError(Exception):
    """Settings are missing or malformed; the message lists all of them and quotes no value.

    Attributes:
        malformed: The variables that have a value which will not do.
    """

    def __init__(self, message: str, malformed: frozenset[str] = frozenset()) -> None:
        super().__init__(message)
        self.malformed = malformed


@dataclass(frozen=True, slots=True)
class Source:
    """One place that gives settings.

    Attributes:
        name: What it is: ``environment``, ``.env`` or ``file``.
        values: What it gives, by variable; nothing without a value.
    """

    name: str
    values: dict[str, str]


def variable_name(field: str) -> str:
    """The environment variable of a field."""
    return field.upper() if field in _SHARED_NAMES else f"FLEET_{field.upper()}"


def sources(variables: Collection[str]) -> tuple[Source, ...]:
    """Read every place, the one that wins first.

    Args:
        variables: What to look for in the folder of secrets. Of the other places, everything is given.

    Raises:
        SettingsError: ``FLEET_SECRETS_DIR`` names no folder, or a file can't be read.
    """
    env_file = _env_file()
    folder = _secrets_folder(env_file)
    files = {name: text for name in variables if folder and (text := _secret(folder, name))}
    environment = {name: value for name, value in os.environ.items() if value}
    return Source("environment", environment), Source(".env", env_file), Source("file", files)


def given(variables: Collection[str]) -> dict[str, str]:
    """What all places give together, as ``sources`` reads them."""
    return dict(ChainMap(*(source.values for source in sources(variables))))


def _secrets_folder(env_file: Mapping[str, str]) -> Path | None:
    """The one that is named, else the one that systemd hands over, else that of containers."""
    named = os.environ.get(SECRETS_DIR) or env_file.get(SECRETS_DIR)
    if named:
        if not Path(named).is_dir():
            raise SettingsError(
                f"{SECRETS_DIR} names {named}, which is no folder. Make it, or unset the name."
            )
        return Path(named)
    handed_over = Path(os.environ.get("CREDENTIALS_DIRECTORY") or USUAL_SECRETS)
    return handed_over if handed_over.is_dir() else None


def _env_file() -> dict[str, str]:
    lines = dotenv_values(stream=StringIO(_text(_ENV_FILE)))
    return {name: value for name, value in lines.items() if value}


def _secret(folder: Path, variable: str) -> str:
    """The text of a file that is named like the variable, in capitals or not."""
    text = _text(folder / variable) or _text(folder / variable.lower())
    return text.rstrip("\r\n")


def _text(file: Path) -> str:
    """What it holds; nothing where there is none."""
    try:
        return file.read_text("utf-8")
    except (FileNotFoundError, IsADirectoryError):
        return ""
    except OSError as error:
        raise SettingsError(f"{file} can't be read: {error.strerror}. Let this user read it.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file} can't be read: it is no text in UTF-8. Write it anew.") from None
