"""The whole story of an event, a notification, a delivery or a letter, from whichever end one holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import or_, select, text

from db.models import Event, Notification, NotificationDelivery
from db.models.fleet import (
    AnnouncementRow,
    Attempt,
    ChannelPause,
    DispatchRow,
    FallbackRow,
    Fanout,
    Intervention,
    Lookup,
    OutboxRow,
    Preference,
    ReceiptRow,
    Suppression,
)
from db.models.settling import Letter, Notice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class DeliveryStory:
    """One delivery, or letter, with all that is known of it.

    Attributes:
        delivery: Its row.
        attempts: Its tries, in their order.
        queued: Its place in the queue, if it has one.
        pause: Its channel's pause, if it has one.
        callbacks: What the provider said of the tries by itself.
        receipts: What is known of the tries' messages, from callbacks and look-ups, by token.
        lookups: Questions to the provider that are open.
        fallback: How it gave way to another channel, or took over from one.
        interventions: What was done to it by hand.
        suppressed: Why its address is not to be written to at present, if it is not.
    """

    delivery: NotificationDelivery | Letter
    attempts: Sequence[Attempt]
    queued: DispatchRow | None
    pause: ChannelPause | None
    callbacks: Sequence[CallbackNote]
    receipts: Sequence[ReceiptRow]
    lookups: Sequence[Lookup]
    fallback: FallbackRow | None
    interventions: Sequence[Intervention]
    suppressed: Suppression | None


@dataclass(frozen=True, slots=True)
class CallbackNote:
    """What a provider said about an attempt, without whom it concerns."""

    received_at: datetime
    provider: str
    callback_id: str
    event: str
    handled_as: str | None


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that is known.

    ``event`` is None for a notification that came without one; some of these have a notice instead.
    """

    event: Event | None
    queued: OutboxRow | None
    fanout: Fanout | None
    notifications: Sequence[tuple[Notification, str | None]]
    deliveries: Sequence[DeliveryStory]
    preferences: Sequence[Preference]
    notices: Sequence[Notice]


_CALLBACKS = text("""
    select received_at, provider, callback_id, handled_as,
      coalesce(body ->> 'event', body ->> 'MessageStatus', '?') as event
    from fleet.inbox
    where body ->> 'attempt' = any(:tokens)
    order by received_at
""")


def find(session: Session, some_id: UUID) -> Story | None:
    """The story behind an id of an event, a notification, a delivery, a letter or an attempt; else None.

    From a letter it tells of that letter; from a delivery or an attempt, of that delivery and whatever else
    its notification has on the channel; from a notification, of all its deliveries; from an event, of
    everything that came of it.
    """
    attempt = session.get(Attempt, some_id)
    delivery_id = attempt.delivery_id if attempt else some_id
    letter = session.get(Letter, delivery_id)
    if letter is not None:
        return _tell(session, None, [], [letter])
    delivery = session.get(NotificationDelivery, delivery_id)
    if delivery is not None:
        notification = session.get(Notification, delivery.notification_id)
        event = session.get(Event, notification.event_id) if notification and notification.event_id else None
        told = [notification] if notification else []
        on_channel = [each for each in _deliveries(session, told) if each.channel == delivery.channel]
        return _tell(session, event, told, on_channel or [delivery])
    notification = session.get(Notification, some_id)
    if notification is not None:
        event = session.get(Event, notification.event_id) if notification.event_id else None
        return _tell(session, event, [notification], _deliveries(session, [notification]))
    notice = session.get(Notice, some_id)
    if notice is not None:
        written = session.get(Notification, notice.notification_id) if notice.notification_id else None
        told = [written] if written else []
        return _tell(session, None, told, _deliveries(session, told), [notice])
    event = session.get(Event, some_id)
    if event is None:
        return None
    announced = select(AnnouncementRow.notification_id).where(AnnouncementRow.event_id == event.id)
    notifications = session.scalars(
        select(Notification).where(Notification.id.in_(announced)).order_by(Notification.created_at)
    ).all()
    return _tell(session, event, notifications, _deliveries(session, notifications))


def _deliveries(session: Session, notifications: Sequence[Notification]) -> Sequence[NotificationDelivery]:
    ids = [notification.id for notification in notifications]
    return session.scalars(
        select(NotificationDelivery)
        .where(NotificationDelivery.notification_id.in_(ids))
        .order_by(NotificationDelivery.created_at, NotificationDelivery.channel)
    ).all()


def _notices(session: Session, notifications: Sequence[Notification]) -> Sequence[Notice]:
    return session.scalars(
        select(Notice)
        .where(Notice.user_id.in_({notification.user_id for notification in notifications}))
        .where(Notice.notification_id.in_([notification.id for notification in notifications]))
    ).all()


def _tell(
    session: Session,
    event: Event | None,
    notifications: Sequence[Notification],
    deliveries: Sequence[NotificationDelivery | Letter],
    notices: Sequence[Notice] = (),
) -> Story:
    notices = notices or _notices(session, notifications)
    authors: dict[UUID, str] = {each.notification_id: "FLEET" for each in notices if each.notification_id} | {
        row.notification_id: row.announced_by
        for row in session.scalars(
            select(AnnouncementRow).where(AnnouncementRow.notification_id.in_([n.id for n in notifications]))
        )
    }
    return Story(
        event=event,
        queued=session.get(OutboxRow, event.id) if event else None,
        fanout=session.get(Fanout, event.id) if event else None,
        notifications=[(notification, authors.get(notification.id)) for notification in notifications],
        deliveries=[_tell_delivery(session, delivery) for delivery in deliveries],
        preferences=session.scalars(
            select(Preference).where(Preference.user_id.in_({n.user_id for n in notifications}))
        ).all(),
        notices=notices,
    )


def _tell_delivery(session: Session, delivery: NotificationDelivery | Letter) -> DeliveryStory:
    attempts = session.scalars(
        select(Attempt).where(Attempt.delivery_id == delivery.id).order_by(Attempt.number)
    ).all()
    tokens = [attempt.token for attempt in attempts]
    notes = session.execute(_CALLBACKS, {"tokens": [str(token) for token in tokens]}).mappings()
    by_hand = select(Intervention).where(Intervention.subject == delivery.id).order_by(Intervention.at)
    suppressed = (
        select(Suppression)
        .where(Suppression.channel == delivery.channel, Suppression.lifted_at.is_(None))
        .where(Suppression.address.in_([delivery.recipient, delivery.recipient.lower()]))
        .order_by(Suppression.since)
    )
    return DeliveryStory(
        delivery=delivery,
        attempts=attempts,
        queued=session.get(DispatchRow, delivery.id),
        pause=session.get(ChannelPause, delivery.channel),
        callbacks=[CallbackNote(**row) for row in notes],
        receipts=session.scalars(select(ReceiptRow).where(ReceiptRow.token.in_(tokens))).all(),
        lookups=session.scalars(select(Lookup).where(Lookup.token.in_(tokens))).all(),
        fallback=None if isinstance(delivery, Letter) else _fallback(session, delivery),
        interventions=session.scalars(by_hand).all(),
        suppressed=session.scalars(suppressed).first(),
    )


def _fallback(session: Session, delivery: NotificationDelivery) -> FallbackRow | None:
    gave_way_or_took_over = or_(
        FallbackRow.from_delivery_id == delivery.id, FallbackRow.to_delivery_id == delivery.id
    )
    of_its_notification = select(FallbackRow).where(FallbackRow.notification_id == delivery.notification_id)
    return session.scalars(of_its_notification.where(gave_way_or_took_over)).first()
