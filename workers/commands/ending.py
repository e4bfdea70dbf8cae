"""What went wrong in a known way, as one readable message and an exit code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
import sqlalchemy.exc
from kombu.exceptions import OperationalError as BrokerError
from psycopg.errors import InsufficientPrivilege

from db.locks import BusyError
from db.migrate import NotRecognisedError
from services.notifications.whatsapp_templates import MappingError
from workers.commands.output import Exit, errors
from workers.dev.embedded.errors import EmbeddedError
from workers.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Ending:
    """How a command ends that could not do its work."""

    message: str
    code: Exit

    def say(self) -> None:
        """Print the message on standard error."""
        errors.print(self.message, style="bold red", markup=False, highlight=False)


_Kinds = tuple[type[Exception], ...]

_SAYS_ITSELF: Sequence[tuple[_Kinds, Exit]] = (
    ((SettingsError, MappingError), Exit.USAGE),
    ((EmbeddedError,), Exit.AWAY),
    ((NotRecognisedError, BusyError), Exit.NO),
)
_NOT_ALLOWED = (
    "The database does not let the role of DATABASE_URL do that. What fleet db does is for the owner of the "
    "tables; what the fleet's own role lacks, fleet db role gives it."
)
_OF_OTHERS: Sequence[tuple[_Kinds, Exit, str]] = (
    (
        (sqlalchemy.exc.OperationalError, psycopg.OperationalError),
        Exit.AWAY,
        "The database does not answer. DATABASE_URL names it.",
    ),
    ((InsufficientPrivilege,), Exit.NO, _NOT_ALLOWED),
    (
        (sqlalchemy.exc.ProgrammingError, psycopg.ProgrammingError),
        Exit.NO,
        "The database is not as expected; fleet db status says what it is.",
    ),
    ((BrokerError,), Exit.AWAY, "The broker does not answer. REDIS_URL names it."),
)


def known(error: Exception) -> Ending | None:
    """Give the ending that an error stands for; None for one that is a defect."""
    for kinds, code in _SAYS_ITSELF:
        if isinstance(error, kinds):
            return Ending(str(error), code)
    cause = getattr(error, "orig", None) or error
    for kinds, code, told in _OF_OTHERS:
        if isinstance(error, kinds) or isinstance(cause, kinds):
            return Ending(f"{told} It said: {_first_line(cause)}", code)
    return None


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
