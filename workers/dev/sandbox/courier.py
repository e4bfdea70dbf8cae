"""Posts callbacks to the fleet, and posts them again until they arrive."""

from __future__ import annotations

import asyncio
import enum
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import urllib3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
# A vendor tries for hours or days; on one machine an ingress that is not there after two minutes won't come.
_GIVE_UP_AFTER = 120.0
_TIMEOUT = urllib3.Timeout(connect=2.0, read=5.0)

_log = logging.getLogger(__name__)


class Trouble(enum.StrEnum):
    """Why a callback did not arrive, in Twilio's words for its retry policies."""

    CONNECT = "ct"
    READ = "rt"
    REFUSED = "4xx"
    FAILED = "5xx"


@dataclass(frozen=True, slots=True)
class Post:
    """One HTTP POST, ready to go."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class Courier:
    """Carries callbacks. While it is held, nothing is posted and no try is used up."""

    def __init__(self) -> None:
        self._pool = urllib3.PoolManager(maxsize=8, retries=False, timeout=_TIMEOUT)
        self._free = asyncio.Event()
        self._free.set()

    @property
    def held(self) -> bool:
        """Whether callbacks wait."""
        return not self._free.is_set()

    def hold(self) -> None:
        """Let callbacks wait from now on; one that is under way arrives."""
        self._free.clear()

    def release(self) -> None:
        """Post what waited, and post at once from now on."""
        self._free.set()

    async def released(self) -> None:
        """Return once callbacks don't wait."""
        await self._free.wait()

    async def post(self, prepare: Callable[[], Post]) -> bool:
        """Post once.

        Args:
            prepare: Makes the request at the moment it goes: signatures hold the time.

        Returns:
            Whether it was answered with a 2xx.
        """
        return await self.attempt(prepare) is None

    async def attempt(self, prepare: Callable[[], Post]) -> Trouble | None:
        """Post once, as `post`, and return why it did not arrive; None if it did."""
        await self.released()
        return await asyncio.to_thread(self._post, prepare())

    async def insist(self, prepare: Callable[[], Post]) -> bool:
        """Post again what failed, with growing pauses, for two minutes.

        Args:
            prepare: As for `post`.

        Returns:
            Whether it arrived in the end.
        """
        for seconds in _pauses():
            await asyncio.sleep(seconds)
            if await self.post(prepare):
                return True
        return False

    def _post(self, post: Post) -> Trouble | None:
        try:
            answer = self._pool.request(
                "POST", post.url, body=post.body, headers=post.headers, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            _log.info("callback not delivered: %s", type(error).__name__)
            unconnected = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
            return Trouble.CONNECT if isinstance(error, unconnected) else Trouble.READ
        if 200 <= answer.status < 300:  # noqa: PLR2004  the range of success
            return None
        return Trouble.FAILED if answer.status >= 500 else Trouble.REFUSED  # noqa: PLR2004  the servers' own


def _pauses() -> Iterator[float]:
    pause, total = _FIRST_PAUSE, 0.0
    while total < _GIVE_UP_AFTER:
        yield pause
        total += pause
        pause = min(pause * 2, _LONGEST_PAUSE)
