"""The settings of a whole process, put together from their groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import field_validator

from workers.settings.kinds import REDIS
from workers.settings.messages import Keeping, Limits, Patience, People, Phones, Words
from workers.settings.payments import Payments, Reminders
from workers.settings.services import Broker, Database, Places, Providers, Timetable
from workers.settings.sources import given
from workers.settings.watching import Doors, Telling

if TYPE_CHECKING:
    from pydantic import SecretStr, ValidationInfo


class DatabaseSettings(Timetable, Database):
    """What the database commands need: nobody has to own a key of Stripe's to migrate a schema."""


# Pydantic takes the fields of the last base first. Theirs is the order of the reference, and of validation.
class Settings(
    Telling,
    Doors,
    Patience,
    Limits,
    Keeping,
    Phones,
    People,
    Words,
    Reminders,
    Payments,
    Places,
    Providers,
    Broker,
    DatabaseSettings,
):
    """Everything that a process of the fleet must know. ``docs/configuration.md`` describes each."""

    @field_validator("limits_url")
    @classmethod
    def _limits_have_a_redis(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        broker: SecretStr | None = info.data.get("redis_url")
        usable = broker is None or broker.get_secret_value().startswith(REDIS)
        if url is None and not usable:
            raise ValueError("give the Redis that keeps the shared limits: REDIS_URL names another broker")
        return url

    @property
    def limits_address(self) -> SecretStr:
        """Where the shared limits are kept."""
        return self.limits_url or self.redis_url


def given_settings() -> dict[str, str]:
    """What the environment, ``.env`` and files of secrets give, for the children of ``fleet up``."""
    return given(Settings.variables())
