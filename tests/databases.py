"""Databases for the tests, each seen by two: its owner, and the fleet's role."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit, urlunsplit

import psycopg

from db import role
from db.engine import dsn, make_engine
from workers.dev.application import Application

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine, QueuePool


@dataclass(slots=True)
class _Kept:
    """An engine that tests share: a connection's first statements cost more than the rest of many a test."""

    engine: Engine
    users: int = 0


_kept: dict[str, dict[str, _Kept]] = {}
"""By database and address, while the database is there."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where databases may be made.

    Attributes:
        url: Of whoever makes them, and owns them.
        role: The fleet's, the same in every database that it is let into.
        password: The role's.
    """

    url: str
    role: str
    password: str


@dataclass(frozen=True, slots=True)
class Database:
    """One database.

    Attributes:
        server: Where it is.
        owner_url: As its owner: for migrations, for what the application does, and to look into it.
        url: As the fleet's role: for what the fleet's processes do.
    """

    server: Server
    owner_url: str
    url: str

    @property
    def name(self) -> str:
        return urlsplit(self.owner_url).path.removeprefix("/")


@contextmanager
def server_with_role(url: str) -> Iterator[Server]:
    """A name for the fleet's role, which is dropped at the end."""
    server = Server(url, _made_up_name(), secrets.token_hex(6))
    yield server
    _run(url, f"drop role if exists {server.role}")


@contextmanager
def new_database(server: Server, template: Database | None = None) -> Iterator[Database]:
    """Another database, empty or like the template, dropped at the end.

    The fleet's role is let into what is like a template that it has been let into; see ``let_in``.
    """
    name = _made_up_name()
    parts = urlsplit(server.url)._replace(path=f"/{name}")
    host = parts.netloc.rpartition("@")[2]
    _run(server.url, f"create database {name}" + (f" template {template.name}" if template else ""))
    _kept[name] = {}
    try:
        as_role = parts._replace(netloc=f"{server.role}:{server.password}@{host}")
        yield Database(server, urlunsplit(parts), urlunsplit(as_role))
    finally:
        for kept in _kept.pop(name).values():
            kept.engine.dispose()
        _run(server.url, f"drop database {name} with (force)")


@contextmanager
def engine_of(url: str) -> Iterator[Engine]:
    """An engine, kept for the next who asks where the database outlives the test."""
    name = urlsplit(url).path.removeprefix("/")
    known = _kept.get(name, {})
    kept = known.setdefault(url, _Kept(make_engine(url)))
    kept.users += 1
    yield kept.engine
    kept.users -= 1
    # What is still in use was left open by a test, and is nobody else's.
    left_open = not kept.users and cast("QueuePool", kept.engine.pool).checkedout()
    if left_open or name not in _kept:
        known.pop(url, None)
        kept.engine.dispose()


@contextmanager
def platform(owner_url: str) -> Iterator[Application]:
    """The platform's application, on a connection that is kept."""
    with engine_of(owner_url) as engine:
        pooled = engine.raw_connection()
        connection = cast("psycopg.Connection[Any]", pooled.driver_connection)
        connection.autocommit = True
        try:
            yield Application(owner_url, connection)
        finally:
            if not connection.closed:
                connection.autocommit = False
            pooled.close()


def let_in(database: Database) -> None:
    """Do what ``fleet db role`` does."""
    engine = make_engine(database.owner_url, pool_size=1)
    with engine.begin() as connection:
        left = role.create(connection, database.server.role, database.server.password).left
    engine.dispose()
    assert left == []


def _made_up_name() -> str:
    return f"fleet_test_{secrets.token_hex(6)}"


def _run(url: str, statement: str) -> None:
    with psycopg.connect(dsn(url), autocommit=True) as connection:
        connection.execute(statement.encode())
