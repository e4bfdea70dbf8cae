"""What a channel does with one claimed delivery: find the words and hand them over."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from providers.base import EmailMessage, PhoneMessage, Receipt
from providers.errors import Rejected, Undeliverable
from services.notifications import catalogue, phone_words, phones, sms, subject, whatsapp_templates
from services.notifications.template_codes import Template

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from db.queries.dispatch import ClaimedRow
    from providers.base import ContentTemplate, EmailProvider, PhoneProvider
    from services.notifications.render import RenderedPhone, Renderer
    from services.notifications.whatsapp_templates import ApprovedTemplates

FREE_TEXT_WINDOW: Final = timedelta(hours=24)
"""How long after a person's message WhatsApp takes free text to that person (its customer service window)."""


@dataclass(frozen=True)
class EmailCarrier:
    """E-mail: the fleet's own notifications in their template's words, the application's in its own.

    Attributes:
        sender: The provider.
        renderer: Writes the words.
        locale: The language of people who have not chosen one.
        app_url: The platform's site, for links that are given as a path.
        unsubscribe: From a person's id and a category, where that person opts out of it; absolute. Without
            it, no e-mail says how.
    """

    sender: EmailProvider
    renderer: Renderer
    locale: str
    app_url: str
    unsubscribe: Callable[[UUID, str], str] | None = None

    @property
    def provider(self) -> str:
        """The provider's name."""
        return self.sender.name

    def carry(self, claimed: ClaimedRow, token: UUID) -> Receipt:
        """Render and send one e-mail.

        Raises:
            ProviderError: The provider did not take it, or nobody knows.
            RenderError: It has no words; nothing left.
        """
        locale = claimed.locale or self.locale
        template, variables = _content(claimed, locale, self.app_url)
        unsubscribe_url = self._unsubscribe_url(claimed)
        words = self.renderer.email(template, locale, variables, unsubscribe_url=unsubscribe_url)
        return self.sender.send(
            EmailMessage(
                token=token,
                recipient=claimed.recipient or "",
                subject=words.subject,
                html=words.html,
                text=words.text,
                category=template,
                unsubscribe_url=unsubscribe_url,
            )
        )

    def _unsubscribe_url(self, claimed: ClaimedRow) -> str | None:
        route = catalogue.route(claimed.template_code)
        if self.unsubscribe is None or claimed.user_id is None or route.mandatory:
            return None
        return self.unsubscribe(claimed.user_id, route.category)


@dataclass(frozen=True)
class PhoneCarrier:
    """SMS: the words in brief and their link, in one part.

    Attributes:
        sender: The provider.
        renderer: Writes the words.
        locale: The language of people who have not chosen one.
        app_url: The platform's site, for links that are given as a path.
        region: The country of numbers that are written without one, by its two letters.
        shorten: From a link, a notification's id and a person's, the link to send instead. Without it, links
            go as they are.
    """

    sender: PhoneProvider
    renderer: Renderer
    locale: str
    app_url: str
    region: str
    shorten: Callable[[str, UUID, UUID], str] | None = None

    @property
    def provider(self) -> str:
        """The provider's name."""
        return self.sender.name

    def carry(self, claimed: ClaimedRow, token: UUID) -> Receipt:
        """Render and send one message.

        Raises:
            ProviderError: The provider did not take it, or nobody knows; or it can't be handed over at all.
            RenderError: It has no words; nothing left.
        """
        return self.sender.send(self.message(claimed, token))

    def message(self, claimed: ClaimedRow, token: UUID) -> PhoneMessage:
        """What is handed over; raises as ``carry``."""
        try:
            recipient = phones.e164(claimed.recipient or "", self.region)
        except phones.UnreadableNumberError as error:
            raise Rejected("invalid_number", str(error)) from None
        body, template = self._said(claimed)
        return PhoneMessage(
            token=token,
            recipient=recipient,
            body=body,
            validity_seconds=catalogue.route(claimed.template_code).validity_seconds,
            template=template,
        )

    def _said(self, claimed: ClaimedRow) -> tuple[str, ContentTemplate | None]:
        """The text, and what is sent instead of it."""
        return sms.fit(self._words(claimed).sms, self._link(claimed)), None

    def _words(self, claimed: ClaimedRow) -> RenderedPhone:
        locale = claimed.locale or self.locale
        template, variables = _content(claimed, locale, self.app_url)
        return self.renderer.phone(template, locale, variables)

    def _link(self, claimed: ClaimedRow) -> str | None:
        link = subject.absolute(self.app_url, claimed.action_url)
        if link is None or self.shorten is None or claimed.notification_id is None or claimed.user_id is None:
            return link
        return self.shorten(link, claimed.notification_id, claimed.user_id)


@dataclass(frozen=True, kw_only=True)
class WhatsAppCarrier(PhoneCarrier):
    """WhatsApp: an approved template's words, or the words at length where free text is taken.

    Attributes:
        templates: The approved templates.
        free_text_always: Whether the provider is a sandbox, which takes free text at any time.
        give_way_after: How long a message has before SMS takes over. It waits no longer at the provider, so
            that what was overtaken does not arrive after all.
        clock: Gives the time, aware, UTC.
    """

    templates: ApprovedTemplates
    free_text_always: bool
    give_way_after: timedelta
    clock: Callable[[], datetime]

    def message(self, claimed: ClaimedRow, token: UUID) -> PhoneMessage:
        """What is handed over; raises ``Undeliverable`` where WhatsApp would not take our words."""
        message = super().message(claimed, token)
        seconds = min(message.validity_seconds, int(self.give_way_after.total_seconds()))
        return replace(message, validity_seconds=max(1, seconds))

    def _said(self, claimed: ClaimedRow) -> tuple[str, ContentTemplate | None]:
        words, template = self._words(claimed).whatsapp, self._approved(claimed)
        # Beside a template the text is not sent, and needs no link made for it.
        return phone_words.body(words, self._link(claimed) if template is None else None), template

    def _approved(self, claimed: ClaimedRow) -> ContentTemplate | None:
        """The approved template, filled; None where the plain text will do."""
        locale = claimed.locale or self.locale
        template, variables = _content(claimed, locale, self.app_url)
        approved = self.templates.get((template, locale))
        lack = f"no approved template says {template} in {locale}"
        if approved is not None:
            try:
                return whatsapp_templates.fill(approved, template, locale, variables)
            except whatsapp_templates.IncompleteError as error:
                lack = str(error)
        if self.free_text_always or self._is_conversing(claimed):
            return None
        raise Undeliverable("no_template", f"{lack}, and the person has not written within 24 hours")

    def _is_conversing(self, claimed: ClaimedRow) -> bool:
        last = claimed.last_inbound_at
        return last is not None and self.clock() - last < FREE_TEXT_WINDOW


@dataclass(frozen=True)
class UnprovidedCarrier:
    """A channel of the platform's without a provider: each delivery ends, and says so.

    Attributes:
        channel: Its name.
    """

    channel: str

    provider = "none"

    def carry(self, claimed: ClaimedRow, token: UUID) -> Receipt:
        """Refuse.

        Raises:
            Rejected: Always, as ``no_provider``.
        """
        del claimed, token
        raise Rejected(
            "no_provider", f"no provider is set up for {self.channel}: give the notification another channel"
        )


class InAppCarrier:
    """In-app: the notification's row is the delivery, so there is nothing left to do but to say so."""

    provider = "in_app"

    def carry(self, claimed: ClaimedRow, token: UUID) -> Receipt:
        """Accept at once; the notification's id is the message's."""
        del token
        return Receipt(provider=self.provider, message_id=str(claimed.notification_id))


def _content(claimed: ClaimedRow, locale: str, app_url: str) -> tuple[Template, dict[str, object]]:
    """Which template words a delivery, and all of its variables."""
    by_fleet = claimed.announced_by == "FLEET" and claimed.announced_as == claimed.notification_id
    template = Template(claimed.template_code) if by_fleet and claimed.template_code else Template.GENERIC
    link = subject.absolute(app_url, claimed.action_url)
    if template is Template.GENERIC:
        own = subject.own_words(claimed.title, claimed.message, locale)
        return template, own | {"name": claimed.full_name, "action_url": link}
    return template, subject.variables(claimed.payload or {}, locale, name=claimed.full_name, action_url=link)
