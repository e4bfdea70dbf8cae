"""What a channel does with one claimed delivery: find the words and hand them over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from providers.base import EmailMessage, Receipt
from services.notifications import subject
from services.notifications.template_codes import Template

if TYPE_CHECKING:
    from uuid import UUID

    from db.queries.dispatch import ClaimedRow
    from providers.base import EmailProvider
    from services.notifications.render import RenderedEmail, Renderer


@dataclass(frozen=True)
class EmailCarrier:
    """E-mail: the fleet's own notifications in their template's words, the application's in its own.

    Attributes:
        sender: The provider.
        renderer: Writes the words.
        locale: The language of people who have not chosen one.
        app_url: The platform's site, for links that are given as a path.
    """

    sender: EmailProvider
    renderer: Renderer
    locale: str
    app_url: str

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
        template = self._template(claimed)
        words = self._words(claimed, template)
        return self.sender.send(
            EmailMessage(
                token=token,
                recipient=claimed.recipient or "",
                subject=words.subject,
                html=words.html,
                text=words.text,
                category=template,
            )
        )

    @staticmethod
    def _template(claimed: ClaimedRow) -> Template:
        by_fleet = claimed.announced_by == "FLEET" and claimed.announced_as == claimed.notification_id
        return Template(claimed.template_code) if by_fleet and claimed.template_code else Template.GENERIC

    def _words(self, claimed: ClaimedRow, template: Template) -> RenderedEmail:
        link = subject.absolute(self.app_url, claimed.action_url)
        if template is Template.GENERIC:
            own = subject.own_words(claimed.title, claimed.message, self.locale)
            common = {"name": claimed.full_name, "action_url": link}
            return self.renderer.email(template, self.locale, own | common)
        kept = claimed.payload or {}
        values = subject.variables(kept, self.locale, name=claimed.full_name, action_url=link)
        return self.renderer.email(template, self.locale, values)


class InAppCarrier:
    """In-app: the notification's row is the delivery, so there is nothing left to do but to say so."""

    provider = "in_app"

    def carry(self, claimed: ClaimedRow, token: UUID) -> Receipt:
        """Accept at once; the notification's id is the message's."""
        del token
        return Receipt(provider=self.provider, message_id=str(claimed.notification_id))
