"""Who is signed in: a signed cookie that says the name and until when, and patience with wrong passwords."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

HOURS: Final = 12
NAME_LENGTH: Final = 80

FREE_TRIES: Final = 3
"""Wrong passwords that cost an address nothing; each further one doubles its wait."""

LONGEST_WAIT: Final = 900.0
_ADDRESSES: Final = 10_000
_NETWORK: Final = 19
"""Characters of an IPv6 address written out that name its /64: whoever has one address has all of these."""


def cookie_name(*, secure: bool) -> str:
    """The name of the cookie that is a session.

    Args:
        secure: Whether browsers are to send it over HTTPS only; no page of another host can set it then.
    """
    return "__Host-fleet-ops" if secure else "fleet-ops"


@dataclass(frozen=True)
class Seal:
    """Makes and reads sessions. Nothing of them is kept here: any process with the same key reads them.

    Attributes:
        user: Who may sign in; all share it.
        password: Its password. Another user or password ends all sessions.
        key: Gives the installation's secret.
        clock: Gives the time, aware, UTC.
    """

    user: str
    password: str
    key: Callable[[], bytes]
    clock: Callable[[], datetime]

    def opens(self, user: str, password: str) -> bool:
        """Whether these are the user and the password; takes the same time whatever they are."""
        given = [hashlib.sha256(word.encode(errors="replace")).digest() for word in (user, password)]
        right = [hashlib.sha256(word.encode()).digest() for word in (self.user, self.password)]
        return all([hmac.compare_digest(a, b) for a, b in zip(given, right, strict=True)])  # noqa: C419 - both are compared

    def session(self, name: str) -> str:
        """A session's cookie for somebody of that name."""
        until = int(self.clock().timestamp()) + HOURS * 3600
        told = urlsafe_b64encode(json.dumps([name, until]).encode())
        return f"{told.decode()}.{self._signature(told)}"

    def read(self, cookie: str) -> str | None:
        """The name in a session's cookie; None where it is none of ours, or over."""
        told, _, signature = cookie.encode(errors="replace").partition(b".")
        if not hmac.compare_digest(signature, self._signature(told).encode()):
            return None
        name, until = json.loads(urlsafe_b64decode(told))
        return str(name) if until > self.clock().timestamp() else None

    def _signature(self, told: bytes) -> str:
        meant = f"operators\0{self.user}\0{self.password}".encode()
        key = hmac.digest(self.key(), meant, "sha256")
        return hmac.new(key, told, "sha256").hexdigest()


@dataclass
class Patience:
    """How long an address waits after wrong passwords: longer each time, and in this process only.

    Attributes:
        monotonic: Gives the seconds on a clock that never goes back.
    """

    monotonic: Callable[[], float]
    _tries: dict[str, tuple[int, float]] = field(default_factory=dict)

    def wait(self, address: str) -> float:
        """Seconds until the next try is looked at; nothing where it is at once."""
        _, until = self._tries.get(_network(address), (0, 0.0))
        return max(0.0, until - self.monotonic())

    def failed(self, address: str) -> None:
        """Count a wrong password."""
        network, now = _network(address), self.monotonic()
        count, until = self._tries.pop(network, (0, 0.0))
        # Who has kept quiet for as long as anybody has to wait begins anew.
        count = 1 if now - until > LONGEST_WAIT and count > FREE_TRIES else count + 1
        wait = min(LONGEST_WAIT, 2.0 ** min(count - FREE_TRIES, 16)) if count > FREE_TRIES else 0.0
        while len(self._tries) >= _ADDRESSES:
            del self._tries[next(iter(self._tries))]
        self._tries[network] = (count, now + wait)

    def succeeded(self, address: str) -> None:
        """Forget what went before."""
        self._tries.pop(_network(address), None)


def _network(address: str) -> str:
    try:
        given = ip_address(address)
    except ValueError:
        return address
    return given.exploded[:_NETWORK] if given.version == 6 else address  # noqa: PLR2004 - the protocol's number
