"""A login role for the fleet's processes: what they read and write, and nothing more.

Row-level security hides everything from a role that neither owns the tables nor passes by it. Policies for
the one role open what it needs, table by table; ``bypassrls`` would open all tables of the database, and only
a superuser may give it. Being a member of the owner would allow to alter and drop.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from db.privileges import address_statements, grants, policies, quote, this_database

if TYPE_CHECKING:
    from psycopg import Connection as PsycopgConnection
    from sqlalchemy import Connection

_PLATFORMS_OWN = frozenset({"anon", "authenticated", "authenticator", "service_role", "postgres", "public"})
_MAX_NAME = 50  # of PostgreSQL's 63 bytes, with room for the policies' names


class RoleError(ValueError):
    """The role can't be the fleet's."""


@dataclass(slots=True)
class Outcome:
    """What was done, and what somebody else has to do.

    Attributes:
        done: In words.
        left: Statements to be run by whoever owns ``auth.users``; empty where the role has what it needs.
    """

    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def create(connection: Connection, name: str, password: str | None = None) -> Outcome:
    """Make a login role, or bring it to what the fleet needs now; may be run again at any time.

    Args:
        connection: Of the owner of the platform's and the fleet's tables, who may create roles; neither
            committed nor rolled back here.
        name: The role's.
        password: Set where given. It leaves this process as a SCRAM verifier only, so that neither the
            server's log nor its statistics ever show it.

    Raises:
        RoleError: The name belongs to a role with rights of its own, or can't be a role's name.
    """
    outcome = Outcome()
    quoted = quote(name)
    if _exists(connection, name):
        outcome.done.append(f"role {name} brought up to date")
    else:
        _run(connection, f"create role {quoted} login")
        outcome.done.append(f"role {name} created")
    if password is not None:
        _run(connection, f"alter role {quoted} login password '{_verifier(connection, name, password)}'")
        outcome.done.append("password set")
    for statement in grants(connection, quoted):
        _run(connection, statement)
    outcome.done.append("privileges granted")
    present = {(row.table, row.policy) for row in connection.execute(_POLICIES) if row.role == name}
    wanted = [p for p in policies(name) if (p.table, p.name) not in present]
    for policy in wanted:
        _run(connection, policy.create)
    if wanted:
        outcome.done.append(f"{len(wanted)} policies made")
    _let_see_addresses(connection, name, outcome)
    return outcome


def script(connection: Connection, name: str) -> str:
    """Give all of it as SQL, to be run elsewhere; the password is set where it is run."""
    quoted = quote(name)
    lines = [] if _exists(connection, name) else [f"create role {quoted} login"]
    lines += grants(connection, quoted)
    for policy in policies(name):
        lines += [f"drop policy if exists {quote(policy.name)} on {policy.table}", policy.create]
    # Last and apart: it may take another role to run these.
    addresses = address_statements(connection, name)
    return "".join(f"{line};\n" for line in ("begin", *lines, "commit", *addresses))


def refresh(connection: Connection) -> list[str]:
    """Bring every role of the fleet on this database to what the fleet needs now, as after an upgrade.

    Args:
        connection: As for ``create``.

    Returns:
        The roles' names.
    """
    names = _names(connection)
    for name in names:
        create(connection, name)
    return names


def own_policies(connection: Connection) -> set[tuple[str, str]]:
    """The policies on the platform's tables that ``create`` has made: table, without its schema, and name."""
    schema = "public."
    found = connection.execute(_POLICIES).all()
    return {(row.table.removeprefix(schema), row.policy) for row in found if row.table.startswith(schema)}


def withdraw(connection: Connection) -> list[str]:
    """Take from every role of the fleet what ``create`` gave it on this database.

    The roles themselves stay: they belong to the server, and may serve other databases.

    Args:
        connection: As for ``create``.

    Returns:
        The roles' names.
    """
    names = _names(connection)
    for policy in connection.execute(_POLICIES).all():
        _run(connection, f"drop policy {quote(policy.policy)} on {policy.table}")
    for name in names:
        quoted = quote(name)
        _run(connection, f"revoke all on all tables in schema public, fleet from {quoted}")
        _run(connection, f"revoke all on all functions in schema fleet from {quoted}")
        _run(connection, f"revoke all on schema public, fleet from {quoted}")
        _run(connection, f"revoke all (id, email) on auth.users from {quoted}")
        _run(connection, f"revoke usage on schema auth from {quoted}")
        _run(connection, f"revoke connect on database {this_database(connection)} from {quoted}")
    return names


# Each policy is for the one role whose name it bears.
_POLICIES = text("""
    select format('%s.%s', schemaname, tablename) as "table", policyname as policy, roles[1]::text as role
    from pg_policies
    where schemaname in ('public', 'auth')
      and policyname in ('fleet_read_' || roles[1], 'fleet_insert_' || roles[1], 'fleet_update_' || roles[1])
""")

_ATTRIBUTES = text("""
    select rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication as powers,
      exists (select from pg_auth_members m where m.member = r.oid) as member,
      exists (select from pg_shdepend d where d.refobjid = r.oid and d.deptype = 'o') as owner
    from pg_roles r where rolname = :name
""")

_SEES_ADDRESSES = text("""
    select has_schema_privilege(:role, 'auth', 'USAGE')
      and has_column_privilege(:role, 'auth.users', 'id', 'SELECT')
      and has_column_privilege(:role, 'auth.users', 'email', 'SELECT')
      and (not c.relrowsecurity or exists (
        select from pg_policy p
        where p.polrelid = c.oid and p.polcmd in ('r', '*') and p.polroles @> array[r.oid]))
    from pg_class c, pg_roles r
    where c.oid = to_regclass('auth.users') and r.rolname = :role
""")


def _names(connection: Connection) -> list[str]:
    return sorted({row.role for row in connection.execute(_POLICIES)})


def _exists(connection: Connection, name: str) -> bool:
    reserved = name in _PLATFORMS_OWN or name.startswith(("pg_", "supabase_"))
    if reserved or not 0 < len(name.encode()) <= _MAX_NAME:
        raise RoleError(f"{name!r} can't be the fleet's role: choose another name, such as fleet_worker.")
    found = connection.execute(_ATTRIBUTES, {"name": name}).one_or_none()
    if found is None:
        return False
    for has, what in (
        (found.powers, "powers of its own"),
        (found.member, "another role's rights"),
        (found.owner, "objects of its own"),
    ):
        if has:
            raise RoleError(f"The role {name!r} has {what}: choose another name, or take them from it first.")
    return True


def _let_see_addresses(connection: Connection, name: str, outcome: Outcome) -> None:
    """Grant what is needed of ``auth.users``; on Supabase its owner is another than the platform's."""
    statements = address_statements(connection, name)
    for statement in statements:
        try:
            with connection.begin_nested():
                _run(connection, statement)
        except ProgrammingError:
            continue  # told below by its effect, as PostgreSQL also refuses some grants with a warning only
    if connection.scalar(_SEES_ADDRESSES, {"role": name}):
        outcome.done.append("e-mail addresses opened: id and email of auth.users")
    else:
        outcome.left += statements


def _verifier(connection: Connection, name: str, password: str) -> str:
    raw: PsycopgConnection = connection.connection.driver_connection  # type: ignore[assignment]
    hashed = raw.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256")
    return hashed.decode()


def _run(connection: Connection, statement: str) -> None:
    # A role's name may hold a % or a colon, which mean themselves.
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
