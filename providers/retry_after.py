"""When a provider says to come back: the arithmetic of its headers."""

from __future__ import annotations

import math
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def seconds_until_allowed(headers: Mapping[str, str], now: float) -> float | None:
    """Read how long to wait, from the first of these that makes sense.

    ``Retry-After``, in seconds or as an HTTP date (RFC 9110, 10.2.3); then ``X-RateLimit-Reset``, in epoch
    seconds.

    Args:
        headers: The answer's headers, found by name in any case.
        now: Epoch seconds.

    Returns:
        Seconds from now, not negative; None if no header says anything sensible.
    """
    after = headers.get("Retry-After", "").strip()
    wait = _number(after)
    if wait is None:
        wait = _ahead(_date(after), now)
    if wait is None:
        wait = _ahead(_number(headers.get("X-RateLimit-Reset", "")), now)
    return wait


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _date(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        # A date that disclaims its zone ("-0000") is UTC all the same: HTTP has no other.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _ahead(moment: float | None, now: float) -> float | None:
    return None if moment is None else max(moment - now, 0.0)
