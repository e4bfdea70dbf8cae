"""What can go wrong at a provider, in seven kinds; nobody upstream looks at a vendor's exception.

::

    ProviderError
    ├── Transient        try again later; costs a try
    ├── RateLimited      try again at the provider's word; costs no try
    ├── Rejected         this message, for good
    ├── Suppressed       this address, for good
    ├── Undeliverable    this channel for this person; the next channel may do
    ├── Misconfigured    our credentials or account; pause the channel, burn no tries
    └── Ambiguous        the request may have been accepted; wait for evidence
"""

from __future__ import annotations

from typing import ClassVar

# ruff: noqa: N818 - the kinds are findings, and read as such where they are caught


class ProviderError(Exception):
    """A send that did not end in an acceptance.

    Attributes:
        kind: Which of the kinds it is, as the tables of codes write it.

    Args:
        code: A short, stable code for people and metrics, such as ``http_400``, or the vendor's own number.
        detail: What the provider said, without addresses or bodies that it may have echoed.
        known: Whether a table of codes lists the code; if not, its kind is the safe default.
    """

    kind: ClassVar[str]

    def __init__(self, code: str, detail: str, *, known: bool = True) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.known = known


class Transient(ProviderError):
    """The provider did not take it and may take it later."""

    kind = "transient"


class RateLimited(ProviderError):
    """Too much at once.

    Args:
        code: As for every provider error.
        detail: As for every provider error.
        retry_after: Seconds until the provider takes more.
        known: As for every provider error.
    """

    kind = "rate_limited"

    def __init__(self, code: str, detail: str, retry_after: float, *, known: bool = True) -> None:
        super().__init__(code, detail, known=known)
        self.retry_after = retry_after


class Rejected(ProviderError):
    """The provider will never take this message."""

    kind = "rejected"


class Suppressed(ProviderError):
    """The provider will never write to this address."""

    kind = "suppressed"


class Undeliverable(ProviderError):
    """This channel cannot reach the person; another may."""

    kind = "undeliverable"


class Misconfigured(ProviderError):
    """Our key, sender or account is refused: every message would be."""

    kind = "misconfigured"


class Ambiguous(ProviderError):
    """The request left and no whole answer came back: it may or may not have been accepted."""

    kind = "ambiguous"
