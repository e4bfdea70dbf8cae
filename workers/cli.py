"""The ``fleet`` command."""

from __future__ import annotations

import sys

import typer

from workers.commands.ondemand import OnDemand

app = typer.Typer(
    cls=OnDemand,
    help="The workers behind the Partners VRAI platform: notifications delivered, payments settled.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    epilog="Exit codes: 0 done, 1 the answer is no, 2 wrong call or settings, 3 a service does not answer.",
)
# What makes it a group, for its commands are not known to Typer before they are asked for.
app.callback()(lambda: None)


def main() -> None:
    """Run the command line; what goes wrong in a known way is said in one readable message."""
    try:
        app()
    except Exception as error:
        # Only now: these are the errors of everything that a command may import.
        from workers.commands.ending import known  # noqa: PLC0415

        ending = known(error)
        if ending is None:
            raise
        ending.say()
        sys.exit(ending.code)


if __name__ == "__main__":
    main()
