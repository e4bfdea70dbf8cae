"""Which event is announced in which words; how each message goes out: to whom, on which channels, how soon.

Every value of ``event_type`` has an entry, and so has every template: one without would be silence by
accident. The program does not start with a hole in either table.

In the app and by e-mail a person gets everything. The phone is for what asks the person to act or ends a
wait: a document was refused, a payment failed, an adviser wrote; the dossier was opened, a payment arrived,
an adviser has finished a step or put documents there, the dossier is complete; an order is to be paid, is
cancelled or refunded, or its payment has made the account active again. What confirms the person's own
act of a moment ago, or tells of progress that needs nobody, does not ring: DOCUMENT_RECEIVED,
DOCUMENT_APPROVED, STEP_COMPLETED, STATUS_CHANGED. The application's own words (GENERIC) ring where the
application itself says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Final

from db.models.enums import ActorType, EventType, NotificationChannel, ReviewStatus
from services.notifications.template_codes import Template

if TYPE_CHECKING:
    from db.queries.outbox import EventFacts


class Category(StrEnum):
    """What a message is about."""

    DOSSIER = "DOSSIER"
    PAYMENT = "PAYMENT"
    REMINDER = "REMINDER"
    OTHER = "OTHER"


class Audience(StrEnum):
    """Whom a message is for."""

    CLIENT = "CLIENT"


class Priority(IntEnum):
    """Which of two due deliveries of a channel goes first: the lower number. As in ``fleet.dispatch``."""

    URGENT = 1
    ORDINARY = 2
    CAN_WAIT = 3


@dataclass(frozen=True, slots=True)
class Route:
    """How a template's message goes out.

    Attributes:
        category: What it is about.
        audience: Whom it is for.
        channels: In order. One that another of them gives way to (``WAYS``) is for when that other fails.
        priority: Which goes first.
        validity_seconds: How long a phone message may wait at the provider, 1 to 36,000 s (Twilio's
            ``ValidityPeriod``); later it would be stale, and is not delivered.
        mandatory: Whether it goes to those as well who want none of its category: it is owed to them by the
            contract, or they must act on it. Otherwise they can opt out, and its e-mail says how.
    """

    category: Category
    audience: Audience
    channels: tuple[NotificationChannel, ...]
    priority: Priority
    validity_seconds: int
    mandatory: bool


@dataclass(frozen=True, slots=True)
class Announcement:
    """Tell it, in these words."""

    template: Template


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


def _dossier_created(facts: EventFacts) -> Verdict:
    # The number of the reminder through which the order was paid, where there was one.
    reminded = type(facts.payload.get("reminder")) is int
    return Announcement(Template.WELCOME_BACK if reminded else Template.WELCOME)


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


def _payment_failed(facts: EventFacts) -> Verdict:
    if facts.payload.get("code") == "reminders_exhausted":
        return Silence("the notice of the cancellation tells it")
    return Announcement(Template.PAYMENT_FAILED)


CATALOGUE: Mapping[EventType, Rule] = {
    EventType.DOSSIER_CREATED: _dossier_created,
    EventType.DOSSIER_STATUS_CHANGED: _status_changed,
    EventType.STEP_STARTED: _never("the completion of the step before has told it"),
    EventType.STEP_COMPLETED: _step_completed,
    EventType.DOCUMENT_UPLOADED: _document_uploaded,
    EventType.DOCUMENT_REVIEWED: _document_reviewed,
    EventType.PAYMENT_RECEIVED: _always(Template.PAYMENT_RECEIVED),
    EventType.PAYMENT_FAILED: _payment_failed,
    EventType.MESSAGE_SENT: _message_sent,
    EventType.ERROR: _never("errors are for the operators"),
}

_SCREEN: Final = (NotificationChannel.IN_APP, NotificationChannel.EMAIL)
_PHONE_TOO: Final = (*_SCREEN, NotificationChannel.WHATSAPP, NotificationChannel.SMS)
_HOUR: Final = 3600


def _route(
    category: Category,
    channels: tuple[NotificationChannel, ...],
    priority: Priority = Priority.ORDINARY,
    hours: int = 4,
    *,
    mandatory: bool = False,
) -> Route:
    return Route(category, Audience.CLIENT, channels, priority, hours * _HOUR, mandatory)


# An adviser waits for an answer today: 2 h. What stays as it is may come 8 h later, and the rest 4 h.
ROUTES: Mapping[Template, Route] = {
    Template.WELCOME: _route(Category.DOSSIER, _PHONE_TOO, mandatory=True),
    Template.DOCUMENT_RECEIVED: _route(Category.DOSSIER, _SCREEN, Priority.CAN_WAIT),
    Template.DOCUMENTS_DELIVERED: _route(Category.DOSSIER, _PHONE_TOO, hours=8, mandatory=True),
    Template.DOCUMENT_APPROVED: _route(Category.DOSSIER, _SCREEN),
    Template.DOCUMENT_REJECTED: _route(Category.DOSSIER, _PHONE_TOO, Priority.URGENT, mandatory=True),
    Template.STEP_COMPLETED: _route(Category.DOSSIER, _SCREEN, Priority.CAN_WAIT),
    Template.STEP_COMPLETED_BY_ADVISER: _route(Category.DOSSIER, _PHONE_TOO, hours=8),
    Template.DOSSIER_COMPLETED: _route(Category.DOSSIER, _PHONE_TOO, hours=8, mandatory=True),
    Template.STATUS_CHANGED: _route(Category.DOSSIER, _SCREEN),
    Template.PAYMENT_RECEIVED: _route(Category.PAYMENT, _PHONE_TOO, mandatory=True),
    Template.PAYMENT_FAILED: _route(Category.PAYMENT, _PHONE_TOO, Priority.URGENT, mandatory=True),
    Template.PAYMENT_REFUNDED: _route(Category.PAYMENT, _PHONE_TOO, mandatory=True),
    Template.PAYMENT_LINK: _route(Category.PAYMENT, _PHONE_TOO, mandatory=True),
    Template.PAYMENT_LINK_REMINDER: _route(Category.PAYMENT, _SCREEN, mandatory=True),
    Template.REMINDER: _route(Category.REMINDER, _PHONE_TOO, Priority.CAN_WAIT),
    Template.ORDER_CANCELLED: _route(Category.PAYMENT, _PHONE_TOO, mandatory=True),
    Template.WELCOME_BACK: _route(Category.DOSSIER, _PHONE_TOO, mandatory=True),
    Template.NEW_MESSAGE: _route(Category.DOSSIER, _PHONE_TOO, Priority.URGENT, hours=2),
    Template.GENERIC: _route(Category.OTHER, _SCREEN, mandatory=True),
}

WAYS: Mapping[NotificationChannel, NotificationChannel] = {
    NotificationChannel.WHATSAPP: NotificationChannel.SMS
}
"""Which channel gives way to which."""

_HOLES = sorted((set(EventType) - set(CATALOGUE)) | (set(Template) - set(ROUTES)))
if _HOLES:
    raise RuntimeError(f"services/notifications/catalogue.py has no entry for: {', '.join(_HOLES)}")


def route(template_code: str | None) -> Route:
    """How a notification goes out; one whose code is the application's own goes as GENERIC does."""
    try:
        return ROUTES[Template(template_code or Template.GENERIC)]
    except ValueError:
        return ROUTES[Template.GENERIC]


def judge(facts: EventFacts) -> Verdict:
    """Decide what becomes of an event. A type that this release does not know is passed over."""
    try:
        rule = CATALOGUE[EventType(facts.event_type)]
    except ValueError:
        return Silence(f"unknown event type {facts.event_type}")
    return rule(facts)
