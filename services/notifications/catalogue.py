"""Which event is announced to whom, in which words, on which channels.

Every value of ``event_type`` has an entry: an event without one would be silence by accident. The program
does not start with a hole in this table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.models.enums import ActorType, EventType, NotificationChannel, ReviewStatus
from services.notifications.template_codes import Template

if TYPE_CHECKING:
    from db.queries.outbox import EventFacts

CHANNELS = (NotificationChannel.IN_APP, NotificationChannel.EMAIL)


@dataclass(frozen=True, slots=True)
class Announcement:
    """Tell the client, in these words, on these channels."""

    template: Template
    channels: tuple[NotificationChannel, ...] = CHANNELS


@dataclass(frozen=True, slots=True)
class Silence:
    """Tell nobody, for this reason."""

    reason: str


Verdict = Announcement | Silence
Rule = Callable[["EventFacts"], Verdict]


def _always(template: Template) -> Rule:
    return lambda _: Announcement(template)


def _never(reason: str) -> Rule:
    return lambda _: Silence(reason)


def _status_changed(facts: EventFacts) -> Verdict:
    match facts.payload.get("new_status"):
        case "COMPLETED":
            return Announcement(Template.DOSSIER_COMPLETED)
        case "ERROR":
            return Silence("an error of a dossier is for the advisers")
        case str():
            return Announcement(Template.STATUS_CHANGED)
        case _:
            return Silence("the event names no new status")


def _step_completed(facts: EventFacts) -> Verdict:
    by_adviser = facts.actor_type == ActorType.AGENT
    return Announcement(Template.STEP_COMPLETED_BY_ADVISER if by_adviser else Template.STEP_COMPLETED)


def _document_uploaded(facts: EventFacts) -> Verdict:
    match facts.payload.get("uploaded_by_type", facts.actor_type):
        case ActorType.USER:
            return Announcement(Template.DOCUMENT_RECEIVED)
        case ActorType.AGENT:
            return Announcement(Template.DOCUMENTS_DELIVERED)
        case _:
            return Silence("put there by the system, not by a person")


def _document_reviewed(facts: EventFacts) -> Verdict:
    match facts.review_status:
        case ReviewStatus.APPROVED:
            return Announcement(Template.DOCUMENT_APPROVED)
        case ReviewStatus.REJECTED:
            return Announcement(Template.DOCUMENT_REJECTED)
        case _:
            return Silence("neither approved nor rejected")


def _message_sent(facts: EventFacts) -> Verdict:
    if facts.sender_type == ActorType.USER:
        return Silence("the client wrote it")
    return Announcement(Template.NEW_MESSAGE)


CATALOGUE: Mapping[EventType, Rule] = {
    EventType.DOSSIER_CREATED: _always(Template.WELCOME),
    EventType.DOSSIER_STATUS_CHANGED: _status_changed,
    EventType.STEP_STARTED: _never("the completion of the step before has told it"),
    EventType.STEP_COMPLETED: _step_completed,
    EventType.DOCUMENT_UPLOADED: _document_uploaded,
    EventType.DOCUMENT_REVIEWED: _document_reviewed,
    EventType.PAYMENT_RECEIVED: _always(Template.PAYMENT_RECEIVED),
    EventType.PAYMENT_FAILED: _always(Template.PAYMENT_FAILED),
    EventType.MESSAGE_SENT: _message_sent,
    EventType.ERROR: _never("errors are for the operators"),
}

_HOLES = sorted(set(EventType) - set(CATALOGUE))
if _HOLES:
    raise RuntimeError(f"services/notifications/catalogue.py has no entry for: {', '.join(_HOLES)}")


def judge(facts: EventFacts) -> Verdict:
    """Decide what becomes of an event. A type that this release does not know is passed over."""
    try:
        rule = CATALOGUE[EventType(facts.event_type)]
    except ValueError:
        return Silence(f"unknown event type {facts.event_type}")
    return rule(facts)
