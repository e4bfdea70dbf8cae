"""What hardening is made of: each measure with its test, its statements and the way back."""

from __future__ import annotations

from dataclasses import dataclass

from db import catalogs, sqlfiles

CLOSED_TABLES = (
    "products",
    "payment_links",
    "agents",
    "steps",
    "product_steps",
    "step_fields",
    "document_types",
    "dossier_status_history",
)
"""Those that version 2 leaves without row-level security."""

EVENT_WRITERS = ("create_dossier_status_event", "create_document_upload_event")
"""The platform's trigger functions that write events, on behalf of clients who may not."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing to do.

    Attributes:
        what: It, in words; also the name under which it is remembered.
        done: An SQL condition that holds where it need not be done.
        do: The statements.
        undo: The statements that take it back; None where that would be giving rights nobody needs.
    """

    what: str
    done: str
    do: str
    undo: str | None


def measures() -> list[Measure]:
    """Every measure, in the order in which they are taken."""
    files = zip(_FUNCTIONS, sqlfiles.read("harden"), strict=True)
    return [
        *(_function(signature, source) for signature, source in files),
        _trigger(
            "profiles",
            "fleet_guard_columns",
            "before update on public.profiles for each row execute function"
            " fleet.guard_columns('closed', 'id', 'status', 'stripe_customer_id', 'created_at')",
            "a client does not change its own status or Stripe customer",
        ),
        _trigger(
            "notifications",
            "fleet_guard_columns",
            "before update on public.notifications for each row execute function"
            " fleet.guard_columns('open', 'read_at')",
            "a client changes nothing but read_at",
        ),
        _trigger(
            "step_field_values",
            "fleet_guard_author",
            "before update on public.step_field_values for each row"
            " when ((new.created_by_type = 'USER' and new.created_by_id = auth.uid()) is not true)"
            " execute function fleet.guard_columns('closed', 'created_by_type', 'created_by_id')",
            "a client puts no other name than its own to an answer",
        ),
        _trigger(
            "events",
            "fleet_refuse_event_change",
            "before update or delete or truncate on public.events for each statement"
            " execute function fleet.refuse_event_change()",
            "events are never changed nor deleted",
        ),
        *(_definer(function) for function in EVENT_WRITERS),
        # Policies first: nobody loses sight of anything between two measures.
        *(_policy(*policy) for policy in _POLICIES),
        *(_restriction(*restriction) for restriction in _RESTRICTIONS),
        *(_row_security(table) for table in CLOSED_TABLES),
        _no_truncating(),
    ]


_FUNCTIONS = (
    "fleet.guard_columns()",
    "fleet.refuse_event_change()",
    "fleet.redact_event(uuid)",
    "public.payment_link_by_token(text)",
)

_OWN_DOSSIER = (
    "exists (select 1 from public.dossiers"
    " where dossiers.{column} = {table}.{key} and dossiers.user_id = auth.uid())"
)

# Table, name, for whom, condition. What a page shows before anybody signs in is for everybody.
_POLICIES = (
    ("products", "Everybody can view active products", "everybody", "active"),
    (
        "products",
        "Users can view products of own dossiers",
        "users",
        _OWN_DOSSIER.format(column="product_id", table="products", key="id"),
    ),
    ("steps", "Everybody can view steps", "everybody", "true"),
    ("product_steps", "Everybody can view product steps", "everybody", "true"),
    ("step_fields", "Users can view step fields", "users", "auth.uid() is not null"),
    ("document_types", "Users can view document types", "users", "auth.uid() is not null"),
    (
        "dossier_status_history",
        "Users can view own dossier history",
        "users",
        _OWN_DOSSIER.format(column="id", table="dossier_status_history", key="dossier_id"),
    ),
)

_NO_STEP_OR_THE_DOSSIERS = (
    "(step_instance_id is null or exists (select 1 from public.step_instances"
    " where step_instances.id = documents.step_instance_id"
    " and step_instances.dossier_id = documents.dossier_id))"
)

# Table, name, condition: what a client inserts under the platform's own policies meets these as well.
_RESTRICTIONS = (
    (
        "documents",
        "Users upload documents still to be reviewed",
        f"status = 'PENDING' and current_version_id is null and {_NO_STEP_OR_THE_DOSSIERS}",
    ),
    (
        "document_versions",
        "Users upload in their own name",
        "uploaded_by_type = 'USER' and uploaded_by_id = auth.uid()",
    ),
)

HARDENED_POLICIES = frozenset((table, name) for table, name, *_ in (*_POLICIES, *_RESTRICTIONS))
"""The table and the name of each policy that hardening makes."""


def _function(signature: str, source: str) -> Measure:
    body = source.split("$$")[1].replace("'", "''")
    return Measure(
        what=f"function {signature}",
        done=f"exists (select from pg_proc where oid = to_regprocedure('{signature}') and prosrc = '{body}')",
        do=source,
        undo=f"drop function if exists {signature}",
    )


def _trigger(table: str, name: str, definition: str, why: str) -> Measure:
    drop = f"drop trigger if exists {name} on public.{table}"
    return Measure(
        what=f"trigger {name} on {table}: {why}",
        done=f"""exists (
          select from pg_trigger where tgrelid = 'public.{table}'::regclass and tgname = '{name}'
            and tgenabled in ('O', 'A'))""",
        do=f"{drop}; create trigger {name} {definition}",
        undo=drop,
    )


def _definer(function: str) -> Measure:
    return Measure(
        what=f"function {function}: writes its event whoever causes it",
        # A platform without the function has no such hole.
        done=f"""coalesce((
          select prosecdef and proconfig::text like '%search_path%' from pg_proc
          where oid = to_regprocedure('public.{function}()')), true)""",  # noqa: S608 - names of our own
        do=f"alter function public.{function}() security definer set search_path = public, pg_temp",
        undo=f"alter function public.{function}() security invoker reset search_path",
    )


def _policy(table: str, name: str, whom: str, condition: str) -> Measure:
    create = f'create policy "{name}" on public.{table} for select to %s using ({condition})'
    # Where Supabase's role is missing, whoever has no claim is shut out by the condition alone.
    to_users = f"""
      do $do$ begin
        execute format('{create}',
          case when to_regrole('authenticated') is null then 'public' else 'authenticated' end);
      end $do$"""
    return _named_policy(table, name, to_users if whom == "users" else create % "public")


def _restriction(table: str, name: str, condition: str) -> Measure:
    create = f'create policy "{name}" on public.{table} as restrictive for insert with check ({condition})'
    return _named_policy(table, name, create)


def _named_policy(table: str, name: str, create: str) -> Measure:
    return Measure(
        what=f"policy on {table}: {name}",
        done=f"""exists (
          select from pg_policies
          where schemaname = 'public' and tablename = '{table}' and policyname = '{name}')""",
        do=create,
        undo=f'drop policy if exists "{name}" on public.{table}',
    )


def _row_security(table: str) -> Measure:
    return Measure(
        what=f"row-level security on {table}",
        done=f"(select relrowsecurity from pg_class where oid = 'public.{table}'::regclass)",  # noqa: S608 - ours
        do=f"alter table public.{table} enable row level security",
        undo=f"alter table public.{table} disable row level security",
    )


def _no_truncating() -> Measure:
    """Row-level security says nothing of TRUNCATE, and Supabase grants it to every client."""
    known = ", ".join(f"'{table}'" for table in catalogs.load("v2")["tables"])
    tables = f"""
      select c.relname, r.rolname from pg_class c, pg_roles r
      where c.relnamespace = 'public'::regnamespace and c.relname in ({known})
        and r.rolname in ('anon', 'authenticated') and pg_has_role(c.relowner, 'USAGE')
        and has_table_privilege(r.oid, c.oid, 'TRUNCATE, TRIGGER, REFERENCES')"""  # noqa: S608 - names of our own
    return Measure(
        what="anon and authenticated may not truncate tables, nor hang triggers and foreign keys on them",
        done=f"not exists ({tables})",
        do=f"""
          do $do$ declare v record; begin
            for v in {tables} loop
              execute format(
                'revoke truncate, trigger, references on public.%I from %I', v.relname, v.rolname);
            end loop;
          end $do$""",
        undo=None,
    )
