"""An upgrade that is killed: the whole process, without a word, at some moment of its work."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from sqlalchemy.orm import Session

from db import catalog
from db.catalogs import load
from db.engine import dsn, make_engine
from db.seed import seed
from workers.dev.application import Application

if TYPE_CHECKING:
    from collections.abc import Iterable

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class State:
    """What there is to lose, and what there is to make.

    Attributes:
        rows: All of the platform's tables.
        public: The catalogue of the platform's part.
        fleet: The catalogue of the fleet's.
    """

    rows: dict[str, list[tuple[Any, ...]]]
    public: catalog.Catalog
    fleet: catalog.Catalog


def populate(url: str) -> None:
    """Have a few clients of the platform's application, on a database without the fleet."""
    engine = make_engine(url, pool_size=1)
    with Session(engine) as session, session.begin():
        seed(session)
    engine.dispose()
    with Application(url) as app:
        for number in range(3):
            client = app.pay(app.register(f"camille{number}@example.com", "Camille Exemple"))
            app.review(app.upload(client, "PASSPORT"), "APPROVED")
            app.deliver(app.notify(client, "Bonjour", "Bienvenue."), "EMAIL", client.email)


def state(url: str) -> State:
    """Look at a whole database."""
    engine = make_engine(url, pool_size=1)
    with engine.connect() as connection:
        public, fleet = (catalog.read(connection, schema) for schema in ("public", "fleet"))
    engine.dispose()
    query = sql.SQL("select to_jsonb(t)::text from public.{} t order by 1")
    with psycopg.connect(dsn(url)) as connection:
        rows = {
            table: connection.execute(query.format(sql.Identifier(table))).fetchall()
            for table in load("v2")["tables"]
        }
    return State(rows, public, fleet)


def kill(url: str, parts: Iterable[float]) -> int:
    """Kill as many upgrades, each after a part of its statements; how many had not ended by then."""
    told = subprocess.run(
        [sys.executable, "-m", "tests.db.killing", url, *map(str, parts)],
        cwd=_ROOT,
        capture_output=True,
        check=True,
    )
    return int(told.stdout)
