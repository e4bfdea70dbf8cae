"""Erasing a person, one statement a table; each counts and changes only what is still to be erased.

What happened, to what, and when stays, by ids, codes and times. In the order in which they stand here: the
queues come first, so that nothing is sent meanwhile, and the inbox before what follows from it, in the order
in which whoever works it off takes its locks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from db.queries.erasures import ACTION
from db.queries.people import mentions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session

    from db.queries.people import Scope

_KEPT_OF_CALLBACKS: Final = (
    *("attempt", "event", "timestamp", "sg_event_id", "sg_message_id", "category", "status"),
    *("id", "type", "created"),
    *("bounce_classification", "MessageSid", "SmsSid", "SmsMessageSid", "MessageStatus", "SmsStatus"),
    *("ErrorCode", "NumMedia", "NumSegments", "erased_at_provider"),
)
_KEPT_OF_RESPONSES: Final = ("status", "code", "receipt", "evidence")


_END_FAN_OUTS = text("""
    with ended as (
      delete from fleet.outbox where event_id = any(:events) returning event_id
    ), marked as (
      insert into fleet.fanouts (event_id, fanned_out_at, outcome, reason)
      select event_id, :now, 'PASSED_OVER', 'erased' from ended
      on conflict do nothing
    )
    select event_id from ended
""")

_END_NOTICES = text("""
    update fleet.notices set told_at = :now where user_id = :user_id and told_at is null
""")

_END_QUEUED = text("""
    with ended as (
      delete from fleet.dispatch where delivery_id = any(:deliveries) returning lease_until
    )
    select count(*) as ended, count(*) filter (where lease_until > greatest(:now, now())) as under_way
    from ended
""")

# Of an event of Stripe's, all that is read is what it points to.
_POINTER: Final = """
        case when i.provider = 'stripe' then jsonb_build_object('data', jsonb_build_object('object',
          jsonb_strip_nulls(jsonb_build_object(
            'id', i.body #> '{data,object,id}', 'object', i.body #> '{data,object,object}',
            'payment_intent', i.body #> '{data,object,payment_intent}',
            'amount_refunded', i.body #> '{data,object,amount_refunded}'))))
        else '{}' end"""

# A status of an erased message is worked off as it is; what the person wrote says nothing any more.
_INBOX = text(f"""
    with told as materialized (
      select i.provider, i.callback_id, i.callback_id like '%\\:inbound' as inbound, coalesce((
        select jsonb_object_agg(key, value)
        from jsonb_each(case when jsonb_typeof(i.body) = 'object' then i.body end)
        where key = any(:kept_of_callbacks)), '{{}}') || {_POINTER} ||
        jsonb_build_object('erased_for', cast(:user_text as text)) as kept
      from fleet.inbox i
      where i.body ->> 'attempt' = any(:tokens_text)
        or split_part(i.body ->> 'sg_message_id', '.', 1) = any(:messages)
        or i.body ->> 'MessageSid' = any(:messages)
        or i.body #>> '{{data,object,metadata,user_id}}' = :user_text
        or {mentions("i.body::text")}
    )
    update fleet.inbox i
    set body = told.kept,
        handled_at = case when told.inbound then coalesce(i.handled_at, :now) else i.handled_at end,
        handled_as = case when told.inbound then coalesce(i.handled_as, 'ERASED') else i.handled_as end
    from told
    where i.provider = told.provider and i.callback_id = told.callback_id and i.body <> told.kept
""")  # noqa: S608  our own words

_RESPONSES: Final = """
    with told as materialized (
      select d.id, coalesce((
        select jsonb_object_agg(key, value)
        from jsonb_each(
          case when jsonb_typeof(d.provider_response) = 'object' then d.provider_response end)
        where key = any(:kept_of_responses)), '{{}}') ||
        case when d.status::text = 'PENDING' then '{{"code": "erased"}}'::jsonb else '{{}}' end as response
      from {} d where d.id = any(:deliveries)
    )"""

_STATEMENTS: Final[Mapping[str, Any]] = {
    "inbox": _INBOX,
    "attempts closed without an answer": text("""
        update fleet.attempts set closed_at = :now, outcome = 'NO_EVIDENCE', evidence = 'NONE'
        where token = any(:tokens) and closed_at is null
    """),
    "attempts": text("""
        update fleet.attempts set message = null
        where token = any(:tokens) and message <> :marker
    """),
    "receipts": text("""
        update fleet.receipts set reason = null where token = any(:tokens) and reason is not null
    """),
    "notification_deliveries": text(f"""
        {_RESPONSES.format("public.notification_deliveries")}
        update public.notification_deliveries d
        set recipient = :marker, provider_response = told.response,
            failed_at = case when d.status::text = 'PENDING' then :now else d.failed_at end,
            status = case when d.status::text = 'PENDING' then 'FAILED' else d.status end
        from told
        where d.id = told.id and (d.recipient <> :marker or d.status::text = 'PENDING'
          or d.provider_response is distinct from told.response)
    """),  # noqa: S608  our own words
    "letters": text(f"""
        {_RESPONSES.format("fleet.letters")}
        update fleet.letters l
        set recipient = :marker, recipient_name = null, action_url = null,
            payload = jsonb_build_object('redacted_at', cast(:now as timestamptz)),
            provider_response = told.response,
            failed_at = case when l.status = 'PENDING' then :now else l.failed_at end,
            status = case when l.status = 'PENDING' then 'FAILED' else l.status end
        from told
        where l.id = told.id and (not l.payload ? 'redacted_at' or l.status = 'PENDING'
          or l.provider_response is distinct from told.response)
    """),  # noqa: S608  our own words
    "payment_links": text("""
        update public.payment_links set prospect_email = :marker, prospect_name = null
        where id = any(:payment_links) and (prospect_email <> :marker or prospect_name is not null)
    """),
    "notifications": text("""
        update public.notifications
        set title = :marker, message = :marker, action_url = null,
            payload = jsonb_build_object('redacted_at', cast(:now as timestamptz))
        where id = any(:notifications)
          and (title <> :marker or message <> :marker or action_url is not null
            or not coalesce(payload ? 'redacted_at', false))
    """),
    "notices": text("""
        update fleet.notices
        set action_url = null, payload = jsonb_build_object('redacted_at', cast(:now as timestamptz))
        where user_id = :user_id and not payload ? 'redacted_at'
    """),
    # Without its token a link is dead; and whoever was to be reminded is not.
    "reminders": text("""
        update fleet.reminders
        set token = null, last = last and state <> 'CLAIMED',
            state = case when state = 'CLAIMED' then 'SKIPPED' else state end,
            reason = case when state = 'CLAIMED' then 'erased' else reason end,
            forced_why = case when forced_why ~* cast(:named as text) then :marker else forced_why end
        where user_id = :user_id
          and (token is not null or state = 'CLAIMED' or forced_why ~* cast(:named as text))
    """),
    "findings": text("""
        update fleet.findings set note = :marker where note ~* cast(:named as text)
    """),
    "lookups": text("delete from fleet.lookups where token = any(:tokens)"),
    "conversations": text("delete from fleet.conversations where address = any(:numbers)"),
    # Another person's word about an address that both have stays.
    "suppressions": text("""
        delete from fleet.suppressions s
        where s.channel = 'EMAIL' and lower(s.address) = any(:emails)
            and not exists (
              select from auth.users u where u.id <> :user_id and lower(u.email) = lower(s.address))
          or s.channel <> 'EMAIL' and s.address = any(:numbers)
            and not exists (
              select from public.profiles p
              where p.id <> :user_id and p.phone ~* cast(:number_pattern as text))
    """),
    "preferences": text("delete from fleet.preferences where user_id = :user_id"),
    "links": text(
        "delete from fleet.links where user_id = :user_id or notification_id = any(:notifications)"
    ),
    "interventions": text("""
        update fleet.interventions
        set details = '{}', why = case when why ~* cast(:named as text) then :marker else why end
        where action <> :action and (details <> '{}' or why ~* cast(:named as text))
          and (subject = any(:subjects) or details::text ~* cast(:pattern as text)
            or why ~* cast(:pattern as text))
    """),
}

_REDACTED: Final = "(payload is null or payload = '{}' or payload ? 'redacted_at')"
_TO_REDACT = text(f"""
    select count(*) from public.events
    where id = any(:events) and (not {_REDACTED} or actor_id = :user_id)
""")  # noqa: S608  a constant of this module
_REDACT = text(f"""
    select count(*) filter (where fleet.redact_event(id)) from public.events
    where id = any(:events) and (not {_REDACTED} or actor_id = :user_id)
""")  # noqa: S608  a constant of this module
_HAS_DOOR = text("""
    select coalesce(has_function_privilege(to_regprocedure('fleet.redact_event(uuid)'), 'execute'), false)
""")


# The marker in place of what an attempt was told says that its provider has nothing of the message either.
def _values(scope: Scope, now: datetime) -> dict[str, object]:
    return scope.values() | {
        "action": ACTION,
        "kept_of_callbacks": list(_KEPT_OF_CALLBACKS),
        "kept_of_responses": list(_KEPT_OF_RESPONSES),
        "now": now,
    }


def end_fan_outs(session: Session, scope: Scope, now: datetime) -> int:
    """Pass over the events that are still to be told; waits for whoever is telling of one just now."""
    return len(session.execute(_END_FAN_OUTS, _values(scope, now)).all())


def end_notices(session: Session, scope: Scope, now: datetime) -> int:
    """Take back what is still to be told; waits for whoever is telling it just now."""
    result: Any = session.execute(_END_NOTICES, _values(scope, now))
    return int(result.rowcount)


def erase(session: Session, scope: Scope, now: datetime) -> tuple[dict[str, int], int]:
    """Erase from every table but the events.

    Returns:
        How many rows of what were changed, and how many sends were in a worker's hands just then.
    """
    values = _values(scope, now)
    queued = session.execute(_END_QUEUED, values).one()
    counts = {"queued deliveries ended": int(queued.ended)}
    for name, statement in _STATEMENTS.items():
        result: Any = session.execute(statement, values)
        counts[name] = int(result.rowcount)
    return counts, int(queued.under_way)


def redact_events(session: Session, scope: Scope, now: datetime) -> tuple[int, int]:
    """Empty the events' payloads through the door that hardening makes.

    Returns:
        How many were emptied, and how many are left because there is no door.
    """
    values = _values(scope, now)
    if session.scalar(_HAS_DOOR):
        return int(session.execute(_REDACT, values).scalar_one()), 0
    return 0, int(session.execute(_TO_REDACT, values).scalar_one())
