"""``fleet db``: bring the database up, and fill a new one."""

from __future__ import annotations

import typer
from sqlalchemy.orm import Session

from db import migrate
from db.engine import make_engine
from db.seed import seed as add_seed
from workers.commands.output import AsJson, console, print_json
from workers.settings import DatabaseSettings

app = typer.Typer(help="The database: schema and first data.", no_args_is_help=True)


def _url() -> str:
    return DatabaseSettings.load().database_url.get_secret_value()


@app.command()
def upgrade(revision: str = typer.Argument("head", help="Where to end.")) -> None:
    """Bring an empty database, or one that the fleet manages, up to date.

    All or nothing; safe to run twice, and by two people at once (the second waits).
    """
    url = _url()
    before = migrate.current(url)
    with console.status("Upgrading the database"):
        migrate.upgrade(url, revision)
    after = migrate.current(url)
    console.print(f"at {after}; nothing to do" if before == after else f"{before or 'empty'} -> {after}")


@app.command()
def downgrade(revision: str = typer.Argument(help="Where to end, such as 0001_platform_v2.")) -> None:
    """Take the database back to a revision. What the later ones held is lost."""
    url = _url()
    before = migrate.current(url)
    migrate.downgrade(url, revision)
    console.print(f"{before} -> {migrate.current(url) or 'empty'}")


@app.command()
def current(*, as_json: AsJson = False) -> None:
    """Tell the revision that the database is at."""
    revision = migrate.current(_url())
    if as_json:
        print_json({"revision": revision})
    else:
        console.print(revision or "no revision: the fleet has not been put on this database")


@app.command()
def seed(*, as_json: AsJson = False) -> None:
    """Add the platform's products, steps and document types, where they are missing."""
    engine = make_engine(_url(), pool_size=1)
    try:
        with Session(engine) as session, session.begin():
            added = add_seed(session)
    finally:
        engine.dispose()
    if as_json:
        print_json(added)
    else:
        console.print(", ".join(f"{count} {table}" for table, count in added.items()) + " added")
