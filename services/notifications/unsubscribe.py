"""Links by which a person says no to a category of messages, and yes again.

A token is ``base64url(version, category, time of issue, user id, signature)``: 44 bytes, 59 characters. It
never expires: a link in an old message has to work. What it must not do is undo what was said after it.
"""

from __future__ import annotations

import hmac
import logging
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from struct import Struct
from typing import TYPE_CHECKING, Final
from uuid import UUID

from db.queries import interventions, preferences
from db.queries.interventions import By
from services.notifications.catalogue import Category

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session, sessionmaker

    from db.queries.preferences import Preferences

log = logging.getLogger(__name__)

_VERSION: Final = 1
_TOKEN: Final = Struct(">BBQ16s18s")
_SIGNED: Final = _TOKEN.size - 18
# Their numbers stand in links that are out: only add.
_CATEGORIES: Final = (Category.DOSSIER, Category.PAYMENT, Category.REMINDER, Category.OTHER)
_BY: Final = By("the person", "by the link in a message")


class ForgedError(ValueError):
    """A token that is not ours."""


class OutdatedError(Exception):
    """What is asked for was overtaken by what the person has said since."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a link is about, and how it stands.

    Attributes:
        user_id: The person.
        category: Of the messages.
        issued_at: When the link was made.
        opted_out: Whether the person gets none of them.
        locale: The person's language, if it was said.
        seen: The state, as it is to be given back by who acts on it.
    """

    user_id: UUID
    category: Category
    issued_at: datetime
    opted_out: bool
    locale: str | None
    seen: str


@dataclass(frozen=True)
class Unsubscribe:
    """Makes links and does what they ask for.

    Attributes:
        sessions: Makes sessions.
        public_url: Where people reach the ingress, without a slash at the end.
        key: Gives the key of the signatures: 16 random bytes or more.
        clock: Gives the time, aware, UTC.
    """

    sessions: sessionmaker[Session]
    public_url: str
    key: Callable[[], bytes]
    clock: Callable[[], datetime]

    def url(self, user_id: UUID, category: str) -> str:
        """The link for a message: to a page that says what it is about, and for a mail client's one click.

        Args:
            user_id: The person.
            category: Of the message, as in ``Category``.
        """
        number, issued = _CATEGORIES.index(Category(category)), int(self.clock().timestamp() * 1000)
        signed = _TOKEN.pack(_VERSION, number, issued, user_id.bytes, b"")[:_SIGNED]
        return f"{self.public_url}/u/{_written(signed + self._signature(signed))}"

    def look(self, token: str) -> Subscription:
        """Say what a link is about; changes nothing.

        Raises:
            ForgedError: It is not ours.
        """
        user_id, category, issued_at = self._read(token)
        with self.sessions() as session:
            said = preferences.of(session, [user_id]).get(user_id, preferences.Preferences(user_id))
        return _subscription(said, category, issued_at)

    def one_click(self, token: str) -> Subscription:
        """Say no, as a mail client does (RFC 8058); a second time changes nothing.

        Raises:
            ForgedError: It is not ours.
            OutdatedError: The person has asked for these messages since the link was made.
        """
        return self._say(token, opted_out=True, seen=None)

    def say(self, token: str, *, opted_out: bool, seen: str) -> Subscription:
        """Say no or yes, as somebody does who has just seen how it stands.

        Args:
            token: Of the link.
            opted_out: Whether the messages are not to come.
            seen: The state that the person has seen.

        Raises:
            ForgedError: It is not ours.
            OutdatedError: It stands otherwise by now.
        """
        return self._say(token, opted_out=opted_out, seen=seen)

    def _say(self, token: str, *, opted_out: bool, seen: str | None) -> Subscription:
        user_id, category, issued_at = self._read(token)
        with self.sessions.begin() as session:
            said = preferences.lock(session, user_id)
            stands = _subscription(said, category, issued_at)
            if stands.opted_out == opted_out:
                return stands
            if seen is None:
                asked_again = preferences.opted_in_at(session, user_id, category)
                outdated = asked_again is not None and issued_at < asked_again
            else:
                outdated = seen != stands.seen
            if outdated:
                raise OutdatedError
            categories = {*said.opted_out, category} if opted_out else {*said.opted_out} - {category}
            now = self.clock()
            after = preferences.change(session, said, {"opted_out": sorted(categories)}, now)
            details = {"opted_out" if opted_out else "opted_in": [category]}
            interventions.record(session, _BY, "preferences", details, [user_id], at=now)
        log.info("person %s has opted %s of %s", user_id, "out" if opted_out else "in", category)
        return _subscription(after, category, issued_at)

    def _read(self, token: str) -> tuple[UUID, Category, datetime]:
        try:
            packed = urlsafe_b64decode(token + "=")
        except ValueError:
            raise ForgedError from None
        signed = packed[:_SIGNED]
        if not hmac.compare_digest(self._signature(signed), packed[_SIGNED:]) or _written(packed) != token:
            raise ForgedError
        version, number, issued, user_id, _ = _TOKEN.unpack(packed)
        if version != _VERSION:
            raise ForgedError
        return UUID(bytes=user_id), _CATEGORIES[number], datetime.fromtimestamp(issued / 1000, UTC)

    def _signature(self, signed: bytes) -> bytes:
        """144 bits; with a word before what is signed, so that the key may sign other things elsewhere."""
        return hmac.digest(self.key(), b"unsubscribe:" + signed, "sha256")[:18]


def _written(packed: bytes) -> str:
    return urlsafe_b64encode(packed).rstrip(b"=").decode()


def _subscription(said: Preferences, category: Category, issued_at: datetime) -> Subscription:
    seen = said.updated_at.isoformat() if said.updated_at else "nothing"
    return Subscription(said.user_id, category, issued_at, category in said.opted_out, said.locale, seen)
