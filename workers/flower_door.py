"""Who may look at Flower: the same people as at the operators' pages, by the same sign-in."""

from __future__ import annotations

import logging
import time
from base64 import b64decode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

from workers.ops.sign_in import Patience, Seal, cookie_name

if TYPE_CHECKING:
    from tornado.httputil import HTTPServerRequest

    from workers.settings import Settings

log = logging.getLogger(__name__)


def sign_in(settings: Settings) -> tuple[str, str] | None:
    """The user and the password of Flower's own where they are set, else the operators'; None without any."""
    for user, password in (
        (settings.flower_user, settings.flower_password),
        (settings.ops_user, settings.ops_password),
    ):
        if password is not None:
            return user, password.get_secret_value()
    return None


@dataclass(frozen=True)
class Refusal:
    """Why a request is not let in.

    Attributes:
        status: Of the answer.
        headers: Of the answer.
    """

    status: int
    headers: dict[str, str]


ASK: Final = Refusal(401, {"WWW-Authenticate": 'Basic realm="fleet", charset="UTF-8"'})


@dataclass
class Guard:
    """Lets in who is signed in to the operators' pages, or gives user and password with the request.

    Attributes:
        seal: Knows both. It reads the sessions of the operators' pages where it has their user and password.
        secure: Whether those pages are served over HTTPS, which the name of their cookie tells.
        patience: With wrong passwords.
    """

    seal: Seal
    secure: bool
    patience: Patience = field(default_factory=lambda: Patience(time.monotonic))

    def refusal(self, request: HTTPServerRequest) -> Refusal | None:
        """Why a request is not let in; None where it is."""
        if self._has_session(request):
            return None
        given = _given(request.headers.get("Authorization", ""))
        if given is None:
            return ASK
        address = str(request.remote_ip)
        if wait := self.patience.wait(address):
            return Refusal(429, {"Retry-After": str(int(wait) + 1)})
        if not self.seal.opens(*given):
            self.patience.failed(address)
            log.warning("a sign-in to Flower was refused")
            return ASK
        self.patience.succeeded(address)
        return None

    def _has_session(self, request: HTTPServerRequest) -> bool:
        cookie = request.cookies.get(cookie_name(secure=self.secure))
        if cookie is None:
            return False
        try:
            return self.seal.read(cookie.value) is not None
        except SQLAlchemyError as error:
            log.warning("sessions can't be read (%s)", type(error).__name__)
            return False


def _given(header: str) -> tuple[str, str] | None:
    """The user and the password of a request; None where it gives none."""
    scheme, _, told = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = b64decode(told, validate=True).decode().partition(":")
    except ValueError:
        return None
    return (user, password) if colon else None
