"""On which channels a notification reaches its person, and under which address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from db import json_rows
from db.models.enums import NotificationChannel
from db.queries import announcements, fallbacks, preferences
from services.notifications import authorship, phones
from services.notifications.catalogue import WAYS, Priority

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

    from db.queries.preferences import Preferences
    from services.notifications.catalogue import Route

# The channel could not find the address; invalid message recipient. https://www.twilio.com/docs/api/errors
NO_WHATSAPP: Final = ("63003", "63024")
REMEMBERED: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Addressee:
    """A notification with the person that it is for.

    Attributes:
        notification_id: The notification.
        route: How it goes out.
        user_id: The person.
        email: The person's e-mail address, if there is one.
        phone: The person's number as it stands in the profile, if there is one.
    """

    notification_id: UUID
    route: Route
    user_id: UUID
    email: str | None
    phone: str | None


def deliver(session: Session, addressees: Sequence[Addressee], region: str, now: datetime) -> None:
    """Insert the deliveries of notifications: one on each channel of the route that leads to the person.

    A channel that another gives way to is for those alone whom that other is known not to reach, or who do
    not want that other: SMS at once for a number that WhatsApp has not found in the last 30 days, and for
    people who prefer it. On a channel that a person refuses there is no delivery. A number is stored in its
    international form; one that cannot be read is stored as it stands, so that its delivery fails and says
    why.

    Args:
        session: The transaction that has inserted or locked the notifications.
        addressees: Notifications without deliveries of ours.
        region: The country of numbers that are written without one, by its two letters.
        now: The time to record.
    """
    numbers = {each.user_id: phones.readable(each.phone, region) for each in addressees if each.phone}
    without = _without_whatsapp(session, numbers, region, now)
    said = preferences.of(session, list({each.user_id for each in addressees}))
    deliveries: list[dict[str, object]] = []
    passed_over: list[dict[str, object]] = []
    for each in addressees:
        number = numbers.get(each.user_id)
        addresses = {
            NotificationChannel.IN_APP: str(each.user_id),
            NotificationChannel.EMAIL: each.email,
            NotificationChannel.WHATSAPP: None if each.user_id in without else number,
            NotificationChannel.SMS: number,
        }
        unwanted = _unwanted(said.get(each.user_id))
        reached = [
            channel for channel in each.route.channels if addresses.get(channel) and channel not in unwanted
        ]
        instead = {WAYS[channel] for channel in reached if channel in WAYS}
        deliveries += [
            {
                "id": authorship.first(each.notification_id, channel),
                "notification_id": each.notification_id,
                "channel": channel,
                "recipient": addresses[channel],
            }
            for channel in reached
            if channel not in instead
        ]
        passed_over += [
            {
                "notification_id": each.notification_id,
                "from_channel": channel,
                "to_channel": WAYS[channel],
                "user_id": each.user_id,
            }
            for channel in each.route.channels
            if channel in WAYS and channel not in {*reached, *unwanted} and WAYS[channel] in reached
        ]
    announcements.insert_deliveries(session, json_rows.dumps(deliveries), now)
    if passed_over:
        fallbacks.record_having_none(session, json_rows.dumps(passed_over), now)
    prioritise(session, {each.notification_id: each.route for each in addressees})


def prioritise(session: Session, routes: Mapping[UUID, Route]) -> None:
    """Give what is queued of notifications its route's priority, where that is not the ordinary one.

    Args:
        session: The transaction that has inserted the deliveries.
        routes: By the notification's id.
    """
    rows = [
        {"notification_id": notification_id, "priority": route.priority}
        for notification_id, route in routes.items()
        if route.priority is not Priority.ORDINARY
    ]
    if rows:
        announcements.prioritise(session, json_rows.dumps(rows))


def _unwanted(said: Preferences | None) -> set[str]:
    """Channels that a person does not want; in the app the notification is there in any case."""
    if said is None:
        return set()
    unwanted = set(said.refused_channels) - {NotificationChannel.IN_APP}
    if said.prefers_sms and NotificationChannel.SMS not in unwanted:
        unwanted.add(NotificationChannel.WHATSAPP)
    return unwanted


def _without_whatsapp(session: Session, numbers: Mapping[UUID, str], region: str, now: datetime) -> set[UUID]:
    """Who of these people has no WhatsApp, as far as is known of the number that they have now."""
    if not numbers:
        return set()
    refused = fallbacks.refused_numbers(
        session, list(numbers), NotificationChannel.WHATSAPP, NO_WHATSAPP, now - REMEMBERED
    )
    return {user_id for user_id, number in refused if phones.readable(number, region) == numbers[user_id]}
