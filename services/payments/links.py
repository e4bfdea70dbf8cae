"""Payment links: mailed to their prospects, reminded of once, closed when they run out, made by hand."""

from __future__ import annotations

import logging
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from db.queries import interventions, payment_links, suppressions
from db.queries.payment_links import Moments, NewLink

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.interventions import By
    from db.queries.payment_links import Product

log = logging.getLogger(__name__)

BATCH: Final = 100
REST: Final = timedelta(days=1)
"""Between a link's letter and its reminder."""

_TOKEN_BYTES: Final = 16
_ADDRESS: Final = re.compile(
    r"[^@\s,;:<>()\"\x00-\x1f]{1,64}@[^@\s,;:<>()\"\x00-\x1f]+\.[^@\s,;:<>()\".\x00-\x1f]+"
)
_ADDRESS_LIMIT: Final = 254


class RefusedError(Exception):
    """A link that is not made; says why, and what would mend it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A link that was made by hand, or would be.

    Attributes:
        product: What it is for.
        email: Whom it is for.
        name: The name, if it was given.
        expires_at: When it runs out.
        mailed: Whether the fleet mails it.
        link_id: Its id; None where it was not made.
        page: The path of the page where it leads, its holder's secret; None where it was not made.
    """

    product: Product
    email: str
    name: str | None
    expires_at: datetime
    mailed: bool
    link_id: UUID | None = None
    page: str | None = None


@dataclass(frozen=True)
class PaymentLinks:
    """Looks after payment links. Each step may run twice, or side by side with another, without harm.

    Attributes:
        sessions: Makes sessions.
        clock: Gives the time, aware, UTC.
        path: The page of the platform's site where a link leads, with ``{token}`` in it.
        reminder_days: How long before a link runs out its prospect is reminded.
        mail: Whether the fleet writes to prospects at all.
    """

    sessions: sessionmaker[Session]
    clock: Callable[[], datetime]
    path: str
    reminder_days: int
    mail: bool = True

    def run(self, should_stop: Callable[[], bool]) -> int:
        """Close, mail and remind, until nothing is left or ``should_stop`` says so; return how many."""
        steps = {"closed": self._close, "mailed": self._mail, "reminded": self._remind}
        if not self.mail:
            del steps["mailed"], steps["reminded"]
        total = 0
        for name, step in steps.items():
            done = self._whole(step, should_stop)
            if done:
                log.info("%d payment links %s", done, name)
            total += done
        return total

    def offer(self, code: str, email: str, name: str | None, days: int, by: By | None) -> Offer:
        """Make a link by hand, and have it mailed.

        Args:
            code: The product's.
            email: The prospect's address, as ``address`` gives it.
            name: The prospect's name.
            days: How long it may be used.
            by: Who and why; None to say what would be made.

        Raises:
            RefusedError: The product is not to be had, or the address is not to be written to.
        """
        with self.sessions.begin() as session:
            now = self.clock()
            product = _product(session, code)
            _see_that_it_may_be_written_to(session, email)
            expires_at = now + timedelta(days=days)
            planned = Offer(product, email, name, expires_at, self.mail)
            if by is None:
                return planned
            token = secrets.token_hex(_TOKEN_BYTES)
            link_id = payment_links.insert(session, NewLink(token, product.id, email, name, now, expires_at))
            interventions.record(session, by, "links create", {"product": code, "days": days}, [link_id])
            if self.mail:
                payment_links.mail_one(session, link_id, self.path, now)
        page = self.path.replace("{token}", token)
        return Offer(product, email, name, expires_at, self.mail, link_id, page)

    def _whole(self, step: Callable[[Session, datetime], int], should_stop: Callable[[], bool]) -> int:
        total = 0
        while not should_stop():
            with self.sessions.begin() as session:
                done = step(session, self.clock())
            total += done
            if done < BATCH:
                break
        return total

    @staticmethod
    def _close(session: Session, now: datetime) -> int:
        return payment_links.expire(session, now, BATCH)

    def _mail(self, session: Session, now: datetime) -> int:
        return payment_links.mail(session, self.path, now, BATCH)

    def _remind(self, session: Session, now: datetime) -> int:
        moments = Moments(now, now + timedelta(days=self.reminder_days), now - REST)
        return payment_links.remind(session, self.path, moments, BATCH)


def address(given: str) -> str:
    """An e-mail address, without blanks around it.

    Raises:
        ValueError: It is none.
    """
    said = given.strip()
    if len(said) > _ADDRESS_LIMIT or not _ADDRESS.fullmatch(said):
        raise ValueError(f"{given!r} is no e-mail address such as camille@example.com")
    return said


def _product(session: Session, code: str) -> Product:
    known = payment_links.products(session)
    found = next((product for product in known if product.code == code), None)
    on_sale = ", ".join(product.code for product in known if product.active) or "none"
    if found is None:
        raise RefusedError(f"There is no product {code}. On sale: {on_sale}.")
    if not found.active:
        raise RefusedError(f"The product {code} is not on sale any more. On sale: {on_sale}.")
    return found


def _see_that_it_may_be_written_to(session: Session, email: str) -> None:
    key = ("EMAIL", email.lower())
    if found := suppressions.in_force(session, [key]).get(key):
        reason, since = found
        raise RefusedError(
            f"That address is not to be written to: {reason}, since {since:%Y-%m-%d %H:%M} UTC."
            " fleet unsuppress lifts it."
        )
