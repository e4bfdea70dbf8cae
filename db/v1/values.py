"""Which values of v2 v1 has no place for, column by column: those that the upgrade would not derive again.

A condition is of a row ``t``. ``:cut_over`` is when the new application took over from the old one, or the
beginning of time where the database was never one of v1.
"""

from __future__ import annotations

from typing import Final

_NIL = "'00000000-0000-0000-0000-000000000000'"


def _kind_of_actor(kind: str, actor: str) -> tuple[str, str]:
    derived = (
        f"case when t.{actor} = {_NIL} then 'SYSTEM'"
        f" when exists (select from public.agents a where a.id = t.{actor}) then 'AGENT'"
        f" when t.{actor} is not null then 'USER' end"
    )
    return f"t.{kind}::text is distinct from {derived}", f"a kind of actor that {actor} does not tell"


def _set(column: str, what: str) -> tuple[str, str]:
    return f"t.{column} is not null", what


def _later(column: str, what: str) -> tuple[str, str]:
    return f"t.{column} > cast(:cut_over as timestamptz)", what


_CHANGED = (
    "t.updated_at is distinct from t.created_at and t.updated_at > cast(:cut_over as timestamptz)",
    "when the row was last changed",
)
_METADATA = ("t.metadata <> '{}'", "metadata")

NEW_TABLES: Final = {
    "products": "products",
    "product_steps": "the steps of products",
    "step_fields": "the fields of steps",
    "step_field_values": "what was entered into the fields of steps",
    "payment_links": "payment links",
    "orders": "orders",
    "payment_reminders": "payment reminders",
}
"""Tables that v1 has not, with what is in them."""

OLD_NAMES: Final = {("dossier_status_history", "status"): "new_status"}
"""Columns of an enum that v2 calls otherwise than v1, by table and v1's name."""

VALUES: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "profiles": {
        "status": ("t.status <> 'ACTIVE'", "a status other than ACTIVE, which an upgrade would give"),
        "stripe_customer_id": _set("stripe_customer_id", "who the person is at Stripe"),
        "updated_at": _CHANGED,
    },
    "agents": {
        "active": ("not t.active and t.email <> 'system@upgrade.invalid'", "that the agent is not active"),
        "updated_at": _CHANGED,
    },
    "steps": {
        "description": _set("description", "a description"),
        "created_at": _later("created_at", "when the step was made"),
    },
    "document_types": {
        "description": (
            f"t.description is not null and not (t.id = {_NIL} and t.code = 'UNKNOWN')",
            "a description",
        ),
        "max_file_size_mb": ("t.max_file_size_mb is distinct from 10", "a limit other than 10 MB"),
        "allowed_extensions": (
            "t.allowed_extensions is distinct from array['pdf', 'jpg', 'png']",
            "other extensions than pdf, jpg and png",
        ),
        "created_at": _later("created_at", "when the type was made"),
        "updated_at": _later("updated_at", "when the type was last changed"),
    },
    "dossiers": {
        "product_id": _set("product_id", "the product that was bought"),
        "current_step_instance_id": (
            """exists (
              select from public.step_instances si
              where si.id = t.current_step_instance_id and si.dossier_id <> t.id
            )""",
            "a current step that is another dossier's",
        ),
        "metadata": _METADATA,
        "completed_at": _set("completed_at", "when the dossier was completed"),
    },
    "step_instances": {
        "assigned_to": _set("assigned_to", "whom the step is assigned to"),
        "created_at": (
            """t.created_at > cast(:cut_over as timestamptz) and t.created_at is distinct from coalesce(
              t.started_at, t.completed_at,
              (select d.created_at from public.dossiers d where d.id = t.dossier_id)
            )""",
            "when the step was added",
        ),
        "metadata": (
            """case jsonb_typeof(t.metadata)
              when 'object' then t.metadata - array['made_by_upgrade', 'v1_started_at'] <> '{}'
              else t.metadata is not null
            end""",
            "metadata",
        ),
    },
    "dossier_status_history": {
        "old_status": _set("old_status", "the status before"),
        "changed_by_type": _kind_of_actor("changed_by_type", "changed_by_id"),
        "metadata": _METADATA,
    },
    "messages": {
        "sender_type": _kind_of_actor("sender_type", "sender_id"),
        "attachments": ("t.attachments <> '[]'", "attachments"),
        "read_at": _set("read_at", "when the message was read"),
    },
    "documents": {
        "step_instance_id": _set("step_instance_id", "the step that the document belongs to"),
        "current_version_id": (
            """t.current_version_id <> (
              select v.id from public.document_versions v
              where v.document_id = t.id order by v.uploaded_at desc, v.id desc limit 1
            )""",
            "a current version that is not the last uploaded one",
        ),
        "updated_at": _CHANGED,
    },
    "document_versions": {
        "file_name": _set("file_name", "the file's name"),
        "file_size_bytes": _set("file_size_bytes", "the file's size"),
        "mime_type": _set("mime_type", "the file's type"),
        "uploaded_by_type": _kind_of_actor("uploaded_by_type", "uploaded_by_id"),
        "version_number": (
            """t.id in (
              select id from (
                select id, version_number,
                  row_number() over (partition by document_id order by uploaded_at, id) as place
                from public.document_versions
              ) as numbered
              where version_number <> place
            )""",
            "a number that does not follow from the order of uploads",
        ),
    },
    "document_reviews": {"notes": _set("notes", "notes")},
    "events": {
        "actor_type": _set("actor_type", "the kind of who did it"),
        "actor_id": _set("actor_id", "who did it"),
    },
    "notifications": {
        "event_id": _set("event_id", "the event that it tells of"),
        "action_url": _set("action_url", "the link of its button"),
    },
    "notification_deliveries": {
        "provider": _set("provider", "who sent it"),
        "provider_message_id": _set("provider_message_id", "its id at the provider"),
        "failed_at": _set("failed_at", "when it failed"),
    },
}
"""Columns that v1 has not, by table: when a value would be lost, and what it tells."""
