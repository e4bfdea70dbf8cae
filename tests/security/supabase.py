"""A database as Supabase hands it out: its roles, its default grants, ``auth`` in another's hands."""

from __future__ import annotations

import json
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from db import migrate
from db.engine import dsn, make_engine
from db.harden import harden
from db.role import create
from db.seed import seed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from sqlalchemy import Connection

CLIENT_ROLES = ("anon", "authenticated", "service_role")
PASSWORD = "made-up: 100 % wörds'"

# As Supabase's postgres: no superuser, but passes by row-level security and may create roles.
_OWNER = "create role {owner} login createrole bypassrls password 'made-up'"

# The policies of newer versions of Supabase Auth: row-level security on, and no policy.
_AUTH = """
create schema auth;
create table auth.users (id uuid primary key, email varchar(255), phone text, encrypted_password text);
alter table auth.users enable row level security;
create function auth.uid() returns uuid language sql stable as $$
  select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
$$;
grant usage on schema auth to anon, authenticated, service_role, {owner};
grant all on auth.users to {owner};
alter schema public owner to {owner};
grant usage on schema public to anon, authenticated, service_role;
"""

_DEFAULT_GRANTS = """
alter default privileges for role {owner} in schema public
  grant all on tables to anon, authenticated, service_role;
alter default privileges for role {owner} in schema public
  grant all on functions to anon, authenticated, service_role;
"""


@dataclass(frozen=True, slots=True)
class Supabase:
    """A database and whom one can be on it.

    Attributes:
        admin_url: As the server's superuser.
        owner_url: As the owner of the platform's tables.
        owner: That one's name.
        worker: The name of a role that a test may make of it.
    """

    admin_url: str
    owner_url: str
    owner: str
    worker: str

    def make_worker(self) -> str:
        """Make the fleet's role in the two hands that it takes; the URL to log in with comes back."""
        with acting(self.owner_url) as connection:
            left = create(connection, self.worker, PASSWORD).left
        with acting(self.admin_url) as connection:
            for statement in left:
                connection.exec_driver_sql(statement)
        return as_role(self.admin_url, self.worker, PASSWORD)


def as_role(url: str, role: str, password: str) -> str:
    """The same database as another role."""
    parts = urlsplit(url)
    return urlunsplit(
        parts._replace(netloc=f"{role}:{quote(password, safe='')}@{parts.hostname}:{parts.port}")
    )


@contextmanager
def client_roles(server_url: str) -> Iterator[None]:
    """Have the roles that a client's request runs as; those that were missing go again."""
    with psycopg.connect(dsn(server_url), autocommit=True) as connection:
        made = [role for role in CLIENT_ROLES if not _exists(connection, role)]
        for role in made:
            power = " bypassrls" if role == "service_role" else ""
            connection.execute(f"create role {role} nologin{power}".encode())
        yield
        for role in made:
            connection.execute(f"drop role {role}".encode())


@contextmanager
def supabase(server_url: str) -> Iterator[Supabase]:
    """A database with the fleet on it, as the platform made it; dropped at the end with its owner."""
    name = f"fleet_test_{secrets.token_hex(6)}"
    found = _named(server_url, name, f"{name}_owner")
    with psycopg.connect(dsn(server_url), autocommit=True) as server:
        server.execute(_OWNER.format(owner=found.owner).encode())
        server.execute(f"create database {name} owner {found.owner}".encode())
        try:
            with psycopg.connect(dsn(found.admin_url), autocommit=True) as admin:
                admin.execute(_AUTH.format(owner=found.owner).encode())
                admin.execute(_DEFAULT_GRANTS.format(owner=found.owner).encode())
            # In two goes, as the platform's own database: what is built in one go is hardened.
            migrate.upgrade(found.owner_url, "0001_platform_v2")
            migrate.upgrade(found.owner_url)
            with (
                acting(found.owner_url) as connection,
                Session(connection, join_transaction_mode="create_savepoint") as session,
                session.begin(),
            ):
                seed(session)
            yield found
        finally:
            server.execute(f"drop database {name} with (force)".encode())
            server.execute(f"drop role {found.owner}".encode())


@contextmanager
def clone(template: Supabase, *, hardened: bool) -> Iterator[Supabase]:
    """Another such database, hardened or not; dropped at the end with the role that was made for it."""
    name = f"fleet_test_{secrets.token_hex(6)}"
    found = _named(template.admin_url, name, template.owner)
    original = urlsplit(template.admin_url)
    server_url = urlunsplit(original._replace(path="/postgres"))
    with psycopg.connect(dsn(server_url), autocommit=True) as server:
        server.execute(
            f"create database {name} owner {found.owner} template {original.path.removeprefix('/')}".encode()
        )
        try:
            if hardened:
                with acting(found.owner_url) as connection:
                    harden(connection)
            yield found
        finally:
            server.execute(f"drop database {name} with (force)".encode())
            server.execute(f"drop role if exists {found.worker}".encode())


def _named(server_url: str, name: str, owner: str) -> Supabase:
    admin_url = urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    return Supabase(admin_url, as_role(admin_url, owner, "made-up"), owner, f"{name}_worker")


@contextmanager
def acting(url: str) -> Iterator[Connection]:
    """A transaction, committed at the end."""
    engine = make_engine(url, pool_size=1)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def become(connection: Connection, role: str, user_id: UUID | None = None) -> None:
    """Go on as a role, on behalf of a signed-in client where one is given, until the savepoint ends."""
    claims = {"role": role} | ({"sub": str(user_id)} if user_id else {})
    connection.execute(
        text("select set_config('request.jwt.claims', :claims, true)"), {"claims": json.dumps(claims)}
    )
    connection.exec_driver_sql(f'set local role "{role}"')


def _exists(connection: psycopg.Connection[Any], role: str) -> bool:
    return connection.execute("select from pg_roles where rolname = %s", [role]).fetchone() is not None
