"""The ``fleet`` command."""

from __future__ import annotations

import sys

import psycopg
import sqlalchemy.exc
import typer
from kombu.exceptions import OperationalError as BrokerError

from db.locks import BusyError
from db.migrate import NotRecognisedError
from services.notifications.whatsapp_templates import MappingError
from workers.commands import (
    byhand,
    checking,
    database,
    deliveries,
    examining,
    findings,
    gdpr,
    local,
    look,
    parked,
    payment_links,
    people,
    processes,
    reconciling,
    reminding,
    rendering,
    scheduling,
    suppressed,
)
from workers.commands.output import Exit, errors
from workers.dev.embedded.errors import EmbeddedError
from workers.settings import SettingsError

app = typer.Typer(
    help="The workers behind the Partners VRAI platform: notifications delivered, payments settled.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    epilog="Exit codes: 0 done, 1 the answer is no, 2 wrong call or settings, 3 a service does not answer.",
)
app.add_typer(database.app, name="db", rich_help_panel="Database")
app.add_typer(gdpr.app, name="gdpr", rich_help_panel="People")
app.add_typer(findings.app, name="findings", rich_help_panel="Payments")
app.add_typer(payment_links.app, name="links", rich_help_panel="Payments")
processes.register(app)
local.register(app)
look.register(app)
checking.register(app)
examining.register(app)
deliveries.register(app)
byhand.register(app)
parked.register(app)
people.register(app)
suppressed.register(app)
rendering.register(app)
reconciling.register(app)
reminding.register(app)
scheduling.register(app)


def main() -> None:
    """Run the command line; what goes wrong in a known way is said in one readable message."""
    try:
        app()
    except (SettingsError, MappingError) as error:
        _end(str(error), Exit.USAGE)
    except EmbeddedError as error:
        _end(str(error), Exit.AWAY)
    except (sqlalchemy.exc.OperationalError, psycopg.OperationalError) as error:
        _end(f"The database does not answer. DATABASE_URL names it. It said: {_first_line(error)}", Exit.AWAY)
    except (NotRecognisedError, BusyError) as error:
        _end(str(error), Exit.NO)
    except (sqlalchemy.exc.ProgrammingError, psycopg.ProgrammingError) as error:
        told = "The database is not as expected; fleet db status says what it is. It said: "
        _end(f"{told}{_first_line(error)}", Exit.NO)
    except BrokerError as error:
        _end(f"The broker does not answer. REDIS_URL names it. It said: {_first_line(error)}", Exit.AWAY)


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return (str(cause).splitlines() or [type(cause).__name__])[0]


def _end(message: str, code: Exit) -> None:
    errors.print(message, style="bold red", markup=False, highlight=False)
    sys.exit(code)


if __name__ == "__main__":
    main()
