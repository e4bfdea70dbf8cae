"""All that is kept of a person, table by table, whole rows, the oldest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from db.models import Base, fleet, reminders, settling  # noqa: F401 - the fleet's tables join the metadata by import
from db.queries.people import mentions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy.orm import Session

    from db.queries.people import Scope

_ROWS_AT_ONCE: Final = 500

_ADDRESSED: Final = "t.address = any(:numbers) or lower(t.address) = any(:emails)"
_BOUGHT: Final = "t.order_id = any(:orders)"
_CALLBACKS: Final = f"""
    t.body ->> 'attempt' = any(:tokens_text)
    or split_part(t.body ->> 'sg_message_id', '.', 1) = any(:messages)
    or t.body ->> 'MessageSid' = any(:messages)
    or t.body ->> 'erased_for' = :user_text
    or t.body #>> '{{data,object,metadata,user_id}}' = :user_text
    or {mentions("t.body::text")}"""
_INTERVENTIONS: Final = """
    t.subject = any(:subjects)
    or t.details::text ~* cast(:pattern as text) or t.why ~* cast(:pattern as text)"""


@dataclass(frozen=True, slots=True)
class Section:
    """One table's part of an export.

    Attributes:
        holds: What its rows are.
        table: Where they are from.
        which: The condition on ``t``, in the parameters of ``Scope``.
        order: What they are sorted by.
    """

    holds: str
    table: str
    which: str
    order: str

    @property
    def columns(self) -> list[str]:
        """What every row has; the platform's own rows may have more."""
        return list(Base.metadata.tables[self.table].columns.keys())

    @property
    def statement(self) -> str:
        """What gives the rows."""
        table = self.table if "." in self.table else f"public.{self.table}"
        return f"select to_jsonb(t) as row from {table} t where {self.which} order by {self.order}"  # noqa: S608  constants of this module


SECTIONS: Final[Mapping[str, Section]] = {
    "profile": Section("The person's profile.", "profiles", "t.id = :user_id", "t.id"),
    "notifications": Section(
        "What the person was told.", "notifications", "t.id = any(:notifications)", "t.created_at, t.id"
    ),
    "deliveries": Section(
        "On which channels, and to which addresses.",
        "notification_deliveries",
        "t.id = any(:deliveries)",
        "t.created_at, t.id",
    ),
    "payment_links": Section(
        "Links by which the person was to register and pay.",
        "payment_links",
        "t.id = any(:payment_links)",
        "t.created_at, t.id",
    ),
    "letters": Section(
        "E-mails to the person without an account.",
        "fleet.letters",
        "t.id = any(:deliveries)",
        "t.created_at, t.id",
    ),
    "queued": Section(
        "What is still to be sent.",
        "fleet.dispatch",
        "t.delivery_id = any(:deliveries)",
        "t.enqueued_at, t.delivery_id",
    ),
    "attempts": Section(
        "The tries at that.", "fleet.attempts", "t.token = any(:tokens)", "t.opened_at, t.token"
    ),
    "receipts": Section(
        "What became of them.", "fleet.receipts", "t.token = any(:tokens)", "t.updated_at, t.token"
    ),
    "callbacks": Section(
        "What providers have posted about them, and what the person has written to us.",
        "fleet.inbox",
        _CALLBACKS,
        "t.received_at, t.provider, t.callback_id",
    ),
    "fallbacks": Section(
        "Where one channel gave way to another.",
        "fleet.fallbacks",
        "t.user_id = :user_id or t.notification_id = any(:notifications)",
        "t.decided_at, t.notification_id, t.from_channel",
    ),
    "lookups": Section("What is still to be asked.", "fleet.lookups", "t.token = any(:tokens)", "t.token"),
    "announcements": Section(
        "Who has told the person of which event.",
        "fleet.announcements",
        "t.user_id = :user_id",
        "t.event_id, t.template_code",
    ),
    "notices": Section(
        "What the person was to be told that no event stands for.",
        "fleet.notices",
        "t.user_id = :user_id",
        "t.enqueued_at, t.id",
    ),
    "preferences": Section(
        "What the person has said about being written to.",
        "fleet.preferences",
        "t.user_id = :user_id",
        "t.user_id",
    ),
    "suppressions": Section(
        "The person's addresses that are not to be written to.",
        "fleet.suppressions",
        _ADDRESSED,
        "t.channel, t.since, t.id",
    ),
    "conversations": Section(
        "When the person last wrote to us.", "fleet.conversations", _ADDRESSED, "t.channel, t.address"
    ),
    "links": Section(
        "Links that were sent to the person, and how often they were followed.",
        "fleet.links",
        "t.user_id = :user_id or t.notification_id = any(:notifications)",
        "t.created_at, t.token",
    ),
    "events": Section(
        "What happened to the person, and to what is the person's.",
        "events",
        "t.id = any(:events)",
        "t.created_at, t.id",
    ),
    "reminders": Section(
        "Reminders of payments.", "payment_reminders", "t.user_id = :user_id", "t.sent_at, t.id"
    ),
    "reminded": Section(
        "What came of them, and by whose word those were sent that were not due.",
        "fleet.reminders",
        "t.user_id = :user_id",
        "t.claimed_at, t.order_id, t.number",
    ),
    "reminder_sessions": Section(
        "Where the person could pay by them.",
        "fleet.reminder_sessions",
        _BOUGHT,
        "t.created_at, t.session_id",
    ),
    "cancellations": Section(
        "Orders that were given up after the last of them.",
        "fleet.cancellations",
        _BOUGHT,
        "t.cancelled_at, t.order_id",
    ),
    "settlements": Section(
        "Which payments were settled.", "fleet.settlements", _BOUGHT, "t.settled_at, t.order_id"
    ),
    "payments": Section(
        "What Stripe has said of payments.",
        "fleet.payments",
        _BOUGHT,
        "t.created_at, t.payment_intent_id",
    ),
    "payment_failures": Section(
        "Payments that failed.", "fleet.payment_failures", _BOUGHT, "t.failed_at, t.failure_key"
    ),
    "session_checks": Section(
        "When a checkout is to be looked at.", "fleet.session_checks", _BOUGHT, "t.session_id"
    ),
    "findings": Section(
        "What did not agree between the platform and Stripe.",
        "fleet.findings",
        _BOUGHT,
        "t.found_at, t.id",
    ),
    "interventions": Section(
        "What was done by hand to any of this.", "fleet.interventions", _INTERVENTIONS, "t.at, t.id"
    ),
    "erasures": Section(
        "What was erased of the person before.", "fleet.erasures", "t.user_id = :user_id", "t.at, t.id"
    ),
}
"""In the order of the document."""


def rows(session: Session, section: Section, scope: Scope) -> Iterator[object]:
    """Yield the rows of one section as they come off the database; few are held at a time."""
    streamed = {"stream_results": True, "yield_per": _ROWS_AT_ONCE}
    yield from session.scalars(text(section.statement), scope.values(), execution_options=streamed)
