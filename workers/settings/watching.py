"""How people and programs watch the fleet."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, HttpUrl, SecretStr

from workers.settings.group import Group
from workers.settings.kinds import Seconds


class Doors(Group):
    """Flower, the operators' pages and health."""

    flower_user: Annotated[str, Field(pattern=r"^[^:]+$")] = "operator"
    """Who signs in to Flower where it has a password of its own; no colon."""

    flower_password: SecretStr | None = None
    """Flower's own password. Without one, the sign-in of the operators' pages opens Flower."""

    flower_url: HttpUrl | None = None
    """Where operators reach Flower. The operators' pages lead there; without it, they do not."""

    ops_user: Annotated[str, Field(pattern=r"^[^:]+$")] = "operator"
    """Who signs in to the [operators' pages](operators.md); all operators share it. No colon."""

    ops_password: SecretStr | None = None
    """Its password. Without one there are no operators' pages."""

    health_max_age_seconds: Seconds = 60.0
    """How old due work may be before `/health` answers 503."""


class Telling(Group):
    """Logs, traces and error reports."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """`DEBUG`, `INFO`, `WARNING` or `ERROR`."""

    environment: Annotated[str, Field(pattern=r"^[^\s/]{1,64}$")] = "production"
    """What traces and error reports are told apart by: a name such as `staging`, 64 characters at most, no
    space, no slash."""

    otel_exporter_otlp_endpoint: HttpUrl | None = None
    """Where traces go: an OpenTelemetry collector. Without it, nothing is traced."""

    sentry_dsn: SecretStr | None = None
    """Where errors are reported to: a project's DSN at Sentry. Without it, they are in the logs only."""
