"""What is left of an erasure: messages that providers still have, and the record of what was done."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

    from db.queries.interventions import By
    from db.queries.people import Scope

ACTION: Final = "gdpr erase"
"""In ``fleet.interventions``."""


@dataclass(frozen=True, slots=True)
class AtProvider:
    """One message that a provider still has.

    Attributes:
        kind: ``attempt`` for one of ours, ``inbound`` for one of the person's.
        key: The attempt's token, or the callback's id.
        provider: Who has it.
        message_id: The provider's id of it.
    """

    kind: str
    key: str
    provider: str
    message_id: str


_AT_PROVIDERS = text("""
    select 'attempt' as kind, token::text as key, provider, provider_message_id as message_id
    from fleet.attempts
    where token = any(:tokens) and outcome = 'ACCEPTED' and message is distinct from :marker
      and channel <> 'IN_APP'
    union all
    select 'inbound', callback_id, provider, body ->> 'MessageSid' from fleet.inbox
    where body ->> 'erased_for' = :user_text and callback_id like '%\\:inbound'
      and body ->> 'MessageSid' is not null and not body ? 'erased_at_provider'
    order by 1, 2
""")

_GONE_AT_PROVIDER = {
    "attempt": text("update fleet.attempts set message = :marker where token = cast(:key as uuid)"),
    "inbound": text("""
        update fleet.inbox set body = body || '{"erased_at_provider": true}'
        where provider = :provider and callback_id = :key
    """),
}

_RECORD = text("""
    insert into fleet.erasures (user_id, at, who, why, redacted)
    values (:user_id, :now, :who, :why, cast(:redacted as jsonb))
    returning id
""")
_ADD = text("update fleet.erasures set redacted = redacted || cast(:more as jsonb) where id = :id")


def at_providers(session: Session, scope: Scope) -> list[AtProvider]:
    """Messages that providers still have, as far as is known; to be asked after ``erasure.erase``."""
    return [AtProvider(**row) for row in session.execute(_AT_PROVIDERS, scope.values()).mappings()]


def gone_at_provider(session: Session, message: AtProvider, marker: str) -> None:
    """Remember that a provider has a message no more."""
    values = {"key": message.key, "provider": message.provider, "marker": marker}
    session.execute(_GONE_AT_PROVIDER[message.kind], values)


def record(session: Session, user_id: UUID, by: By, redacted: Mapping[str, object], now: datetime) -> UUID:
    """Record an erasure; its id comes back."""
    values = {"user_id": user_id, "who": by.who, "why": by.why, "now": now}
    erasure_id: UUID = session.execute(_RECORD, values | {"redacted": json.dumps(redacted)}).scalar_one()
    return erasure_id


def add_to_record(session: Session, erasure_id: UUID, more: Mapping[str, object]) -> None:
    """Add to an erasure what was done since."""
    session.execute(_ADD, {"id": erasure_id, "more": json.dumps(more)})
