"""What the fleet's processes need of the database, and the SQL that gives it to a role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

# The modules of the fleet's own tables join the metadata by being imported.
from db.models import Base, fleet, reminders, schedule, settling  # noqa: F401 - for their tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

READS = (
    *("document_reviews", "document_types", "document_versions", "documents", "dossiers", "events"),
    *("messages", "notification_deliveries", "notifications", "orders", "payment_links"),
    *("payment_reminders", "product_steps", "products", "profiles", "step_instances", "steps"),
)
"""The platform's tables that the fleet reads, whole rows."""

INSERTS = (
    # The history of a status is written by the platform's trigger, with the rights of whoever changes it.
    *("dossier_status_history", "dossiers", "events", "notification_deliveries", "notifications"),
    *("payment_links", "payment_reminders", "step_instances"),
)
"""The platform's tables that the fleet inserts into."""

UPDATES = {
    "dossiers": ("completed_at", "current_step_instance_id", "status"),
    "notification_deliveries": (
        *("failed_at", "provider", "provider_message_id", "provider_response", "recipient", "sent_at"),
        "status",
    ),
    # Written by the erasure of a person alone. To lock a row, PostgreSQL asks for the right to update any.
    "notifications": ("action_url", "message", "payload", "title"),
    "orders": (
        *("dossier_id", "paid_at", "status", "stripe_checkout_session_id", "stripe_customer_id"),
        "stripe_payment_intent_id",
    ),
    "payment_reminders": ("clicked_at",),
    "payment_links": ("prospect_email", "prospect_name", "used_at"),
    "profiles": ("status", "stripe_customer_id"),
    "step_instances": ("completed_at", "started_at"),
}
"""The columns that the fleet updates."""

WORKS_WITH = tuple(sorted(table.name for table in Base.metadata.tables.values() if table.schema == "fleet"))
"""The fleet's own tables that its processes write: those that it has models of."""

MARKS = ("installation", "schema_version")
"""The fleet's own tables that its processes only read."""

FUNCTIONS = ("fleet.as_uuid(text)", "fleet.redact_event(uuid)")
"""Those that the fleet may call; the second is there on a hardened database alone."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy for one role on one table, whose name is qualified."""

    table: str
    name: str
    create: str


def grants(connection: Connection, role: str) -> Iterator[str]:
    """Yield what grants a role exactly this, whatever it had before; the role's name comes quoted."""
    yield f"grant connect on database {this_database(connection)} to {role}"
    yield f"grant usage on schema public, fleet to {role}"
    # Anew from nothing: what an older release needed is taken back.
    yield f"revoke all on all tables in schema public, fleet from {role}"
    yield f"grant select on {_tables('public', READS)} to {role}"
    yield f"grant insert on {_tables('public', INSERTS)} to {role}"
    for table, columns in UPDATES.items():
        yield f"grant update ({', '.join(columns)}) on public.{table} to {role}"
    yield f"grant select, insert, update, delete on {_tables('fleet', WORKS_WITH)} to {role}"
    yield f"grant select on {_tables('fleet', MARKS)} to {role}"
    for function in FUNCTIONS:
        if connection.scalar(text("select to_regprocedure(:name) is not null"), {"name": function}):
            yield f"grant execute on function {function} to {role}"


def policies(name: str) -> Iterator[Policy]:
    """Yield the policies that show a role the rows behind row-level security."""
    role = quote(name)
    for verb, tables, definition in (
        ("read", READS, f"for select to {role} using (true)"),
        ("insert", INSERTS, f"for insert to {role} with check (true)"),
        ("update", UPDATES, f"for update to {role} using (true) with check (true)"),
    ):
        policy = f"fleet_{verb}_{name}"
        for table in tables:
            create = f"create policy {quote(policy)} on public.{table} {definition}"
            yield Policy(f"public.{table}", policy, create)


def address_statements(connection: Connection, name: str) -> list[str]:
    """Give what opens e-mail addresses to a role; on Supabase ``auth.users`` has row-level security."""
    role, policy = quote(name), quote(f"fleet_read_{name}")
    statements = [
        f"grant usage on schema auth to {role}",
        f"grant select (id, email) on auth.users to {role}",
    ]
    if connection.scalar(text("select relrowsecurity from pg_class where oid = 'auth.users'::regclass")):
        statements += [
            f"drop policy if exists {policy} on auth.users",
            f"create policy {policy} on auth.users for select to {role} using (true)",
        ]
    return statements


def this_database(connection: Connection) -> str:
    """The connection's database, quoted."""
    return quote(str(connection.scalar(text("select current_database()"))))


def quote(name: str) -> str:
    """Quote a name for use in SQL."""
    return '"{}"'.format(name.replace('"', '""'))


def _tables(schema: str, names: tuple[str, ...]) -> str:
    return ", ".join(f"{schema}.{name}" for name in names)
