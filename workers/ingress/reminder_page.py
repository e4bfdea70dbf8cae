"""The page behind the link in a reminder: says what is to be paid, and leads to where it is paid."""

from __future__ import annotations

import logging
import re
from asyncio import Semaphore
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from providers.errors import ProviderError
from services.notifications import words
from services.notifications.typography import french
from services.payments.following import Stands
from services.payments.sending import PATH
from workers.ingress import plain_pages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.datastructures import Headers
    from starlette.requests import Request

    from services.payments.following import Followed, Following

log = logging.getLogger(__name__)

STRIPES_PAGES: Final = "https://checkout.stripe.com"
"""Where Stripe's own page is, unless the account has a domain of its own for it."""

SIDE_BY_SIDE: Final = 8
"""People who are led on at once; the threads that take callbacks wait for none of them."""

# Nothing that browsers and parsers read in different ways.
_PLAIN: Final = re.compile(r"https?://[!-\[\]-~]+")


class _Words(NamedTuple):
    title: str
    due: str
    pay: str
    safe: str
    said: Mapping[Stands, str]
    unknown: str
    away: str
    account: str


_WORDS: Final[Mapping[str, _Words]] = {
    "fr": _Words(
        title="Votre commande",
        due="Il reste {amount} à régler pour « {product} ».",
        pay="Régler ma commande",
        safe="Le paiement se fait en ligne, sur la page sécurisée de Stripe.",
        said={
            Stands.UNDER_WAY: "Votre paiement est en cours : vous n’avez plus rien à faire. Nous vous"
            " écrirons dès qu’il nous sera parvenu.",
            Stands.CANCELLED: "Votre commande « {product} » a été annulée : rien ne vous sera débité. Si"
            " votre projet est toujours d’actualité, écrivez-nous.",
            Stands.REFUNDED: "Votre commande « {product} » vous a été remboursée.",
            Stands.CLOSED: "Votre commande « {product} » ne peut plus être réglée par ce lien. Écrivez-nous :"
            " nous vous en préparerons un nouveau.",
        },
        unknown="Ce lien n’est pas valable. Utilisez celui d’un message plus récent.",
        away="Le paiement n’est pas possible pour le moment. Réessayez dans quelques minutes.",
        account="Mon espace client",
    ),
    "en": _Words(
        title="Your order",
        due="{amount} is left to pay for “{product}”.",
        pay="Pay for my order",
        safe="You pay online, on Stripe’s secure page.",
        said={
            Stands.UNDER_WAY: "Your payment is under way: there is nothing left for you to do. We will"
            " write to you as soon as it has reached us.",
            Stands.CANCELLED: "Your order “{product}” was cancelled: you will not be charged. If you still"
            " want to go ahead, write to us.",
            Stands.REFUNDED: "Your order “{product}” was refunded to you.",
            Stands.CLOSED: "Your order “{product}” can no longer be paid by this link. Write to us: we will"
            " prepare a new one for you.",
        },
        unknown="This link is not valid. Use the one in a newer message.",
        away="Paying is not possible right now. Try again in a few minutes.",
        account="My account",
    ),
}


@dataclass(frozen=True)
class ReminderPage:
    """Answers at ``/r/{token}``. GET changes nothing: mail scanners follow links, and press no button.

    Attributes:
        following: Knows what a link is about, and where it is paid.
        locale: The language of people who have not chosen one.
        app_url: The platform's site.
        public_url: Where people reach the ingress.
        checkouts: Origins of the pages where people may be sent to pay, and nowhere else.
    """

    following: Following
    locale: str
    app_url: str
    public_url: str
    checkouts: Sequence[str] = (STRIPES_PAGES,)
    _turns: Semaphore = field(default_factory=lambda: Semaphore(SIDE_BY_SIDE))

    def routes(self) -> list[Route]:
        """Its address."""
        return [
            Route(f"{PATH}/{{token}}", self.show, methods=["GET"]),
            Route(f"{PATH}/{{token}}", self.take, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Say what is to be paid; lead to the platform's site where it is paid already."""
        return await run_in_threadpool(self._show, request.path_params["token"])

    async def take(self, request: Request) -> Response:
        """Lead to where it is paid, as the page's button asks."""
        if _from_elsewhere(request.headers, origin(self.public_url)):
            return PlainTextResponse("not by the page's button", 403, plain_pages.headers())
        async with self._turns:
            return await run_in_threadpool(self._follow, request.path_params["token"])

    def _show(self, token: str) -> Response:
        try:
            found = self.following.look(token)
        except SQLAlchemyError as error:
            return self._away(error)
        return self._answer(found)

    def _follow(self, token: str) -> Response:
        try:
            found = self.following.follow(token)
        except (SQLAlchemyError, ProviderError) as error:
            return self._away(error)
        if found is None or found.url is None:
            return self._answer(found)
        if not _leads_to(found.url, self.checkouts):
            log.error("order %s is not to be paid at an address that is allowed", found.order_id)
            return self._plain(self.locale, 503, _WORDS[self.locale].away)
        return self._led_to(found.url)

    def _answer(self, found: Followed | None) -> Response:
        if found is None:
            return self._plain(self.locale, 404, _WORDS[self.locale].unknown)
        if found.stands is Stands.PAID:
            return self._led_to(f"{self.app_url.rstrip('/')}/dashboard")
        locale = found.locale or self.locale
        wording = _WORDS[locale]
        if found.stands is not Stands.OPEN:
            return self._plain(locale, 200, wording.said[found.stands], product=found.product)
        amount = words.money(found.amount, found.currency, locale)
        due = _worded(locale, wording.due, product=found.product, amount=amount)
        body = f'{due}<form method="post"><button>{escape(wording.pay)}</button></form>' + _worded(
            locale, wording.safe
        )
        return plain_pages.page(locale, wording.title, body, 200, self._targets)

    def _plain(self, locale: str, status: int, text: str, **values: str) -> Response:
        wording = _WORDS[locale]
        link = f'<p><a href="{escape(self.app_url)}">{escape(wording.account)}</a></p>'
        return plain_pages.page(locale, wording.title, _worded(locale, text, **values) + link, status)

    def _away(self, error: Exception) -> Response:
        told = error.code if isinstance(error, ProviderError) else type(error).__name__
        log.warning("a reminder's link can't be followed for now (%s)", told)
        return self._plain(self.locale, 503, _WORDS[self.locale].away)

    def _led_to(self, url: str) -> Response:
        return Response(status_code=303, headers=plain_pages.headers(self._targets) | {"Location": url})

    @property
    def _targets(self) -> list[str]:
        return [*self.checkouts, origin(self.app_url)]


def _worded(locale: str, text: str, **values: str) -> str:
    """A paragraph; what is filled in stays as it is written."""
    spaced = french(text) if locale == "fr" else text
    return f"<p>{escape(spaced.format(**values))}</p>"


def origin(address: str) -> str:
    """Scheme, host and port of an address of our own settings."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _leads_to(url: str, origins: Sequence[str]) -> bool:
    return _PLAIN.fullmatch(url) is not None and any(url.startswith(f"{each}/") for each in origins)


def _from_elsewhere(headers: Headers, own: str) -> bool:
    """Whether a form of another site was sent; browsers that say no more name no origin for our page."""
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in {"same-origin", "none"}
    return headers.get("Origin", "null") not in {"null", own}
