"""Reading what was posted, never more of it than its address takes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from workers.ingress.refusals import Malformed, TooLarge, TooSlow

if TYPE_CHECKING:
    from starlette.requests import Request

PATIENCE_SECONDS = 10.0
"""Providers give up on an answer after 10 to 15 s; whoever still posts then is none."""

MOST_FIELDS = 200
"""Twilio sends about 20 to 40, and adds some without notice."""


async def bounded(request: Request, limit: int) -> bytes:
    """The raw body, byte for byte.

    Args:
        request: Nothing of it is read yet.
        limit: Bytes.

    Raises:
        Refused: It is larger, or did not come in ``PATIENCE_SECONDS``.
        starlette.requests.ClientDisconnect: Whoever posted has hung up before the end.
    """
    announced = request.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise TooLarge
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise TooLarge
    except TimeoutError:
        raise TooSlow from None
    return bytes(body)


def form(body: bytes) -> list[tuple[str, str]]:
    """The names and values of a form, empty values included.

    Raises:
        Refused: It is not a form in UTF-8, or has too many parameters.
    """
    try:
        return parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise Malformed("not a form in UTF-8") from None
