"""Notifications in a person's language, with their deliveries: worded first, written together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from db import json_rows
from db.queries import announcements
from services.notifications import catalogue, reach, subject
from services.notifications.reach import Addressee

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session

    from services.notifications.render import Renderer
    from services.notifications.template_codes import Template


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be told to one person.

    Attributes:
        template: In which words.
        payload: What is kept for the words of the other channels, for the sending.
        action_url: Where it leads, on the platform's site.
        user_id: The person.
        full_name: As it stands in the profile, if it does.
        email: The person's e-mail address, if there is one.
        phone: The person's number as it stands in the profile, if there is one.
        dossier_id: What it is about, if it is about one.
        event_id: What it tells of, if an event stands for that.
    """

    template: Template
    payload: Mapping[str, object]
    action_url: str
    user_id: UUID
    full_name: str | None
    email: str | None
    phone: str | None
    dossier_id: UUID | None
    event_id: UUID | None = None


@dataclass(slots=True)
class Announcing:
    """Gathers the notifications of a batch and writes them.

    Attributes:
        renderer: Writes the in-app words.
        locales: The languages that people have chosen.
        locale: The language of the others.
    """

    renderer: Renderer
    locales: Mapping[UUID, str | None]
    locale: str
    _rows: dict[UUID, dict[str, object]] = field(default_factory=dict)
    _addressees: list[Addressee] = field(default_factory=list)

    def add(self, message: Message) -> UUID:
        """Word a message; the id of the notification that it becomes comes back.

        Raises:
            RenderError: What the template needs is not in the payload.
        """
        notification_id = uuid4()
        locale = self.locales.get(message.user_id) or self.locale
        words = self.renderer.notice(
            message.template, locale, subject.variables(message.payload, locale, name=message.full_name)
        )
        self._rows[notification_id] = {
            "id": notification_id,
            "user_id": message.user_id,
            "dossier_id": message.dossier_id,
            "event_id": message.event_id,
            "title": words.title,
            "message": words.message,
            "template_code": message.template,
            "payload": message.payload,
            "action_url": message.action_url,
        }
        route = catalogue.route(message.template)
        self._addressees.append(
            Addressee(notification_id, route, message.user_id, message.email, message.phone)
        )
        return notification_id

    def write(self, session: Session, wanted: Collection[UUID], region: str, now: datetime) -> None:
        """Insert notifications and their deliveries.

        Args:
            session: The transaction.
            wanted: Which of those that were added.
            region: The country of phone numbers that are written without one, by its two letters.
            now: The time to record.
        """
        rows = [row for notification_id, row in self._rows.items() if notification_id in wanted]
        if not rows:
            return
        announcements.insert_notifications(session, json_rows.dumps(rows))
        addressees = [each for each in self._addressees if each.notification_id in wanted]
        reach.deliver(session, addressees, region, now)
