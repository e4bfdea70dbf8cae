"""What the codes of providers mean: versioned tables of data, and how they are read."""

from __future__ import annotations

import tomllib
from enum import StrEnum
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from providers.errors import (
    Ambiguous,
    Misconfigured,
    ProviderError,
    RateLimited,
    Rejected,
    Suppressed,
    Transient,
    Undeliverable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(StrEnum):
    """The kinds of ``providers.errors``, as the tables write them."""

    TRANSIENT = "transient"
    RATE_LIMITED = "rate_limited"
    REJECTED = "rejected"
    SUPPRESSED = "suppressed"
    UNDELIVERABLE = "undeliverable"
    MISCONFIGURED = "misconfigured"
    AMBIGUOUS = "ambiguous"


_ERRORS: dict[Kind, type[ProviderError]] = {
    Kind.TRANSIENT: Transient,
    Kind.REJECTED: Rejected,
    Kind.SUPPRESSED: Suppressed,
    Kind.UNDELIVERABLE: Undeliverable,
    Kind.MISCONFIGURED: Misconfigured,
    Kind.AMBIGUOUS: Ambiguous,
}


class Verdict(NamedTuple):
    """A kind, and whether a table names what was met; if not, the kind is the safe default."""

    kind: Kind
    known: bool


class CodeTable:
    """One provider's table, ``data/<provider>_codes.toml``.

    Attributes:
        version: The month of the documentation that it was written from.

    Args:
        provider: The provider's name, lower case.

    Raises:
        ValueError: The table names a kind that does not exist.
    """

    def __init__(self, provider: str) -> None:
        path = files("providers").joinpath(f"data/{provider}_codes.toml")
        data: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        self.version: str = data["version"]
        self._status = _kinds(data["status"])
        self._class = _kinds(data["class"])
        self._code = _kinds(data["code"])
        self._code_of = {channel: _kinds(codes) for channel, codes in data.get("code_of", {}).items()}
        self._unseen = _kinds(data.get("unseen", {}))
        self._rate_limit: dict[str, float] = data["rate_limit"]
        self._wait: dict[str, float] = data.get("wait", {})

    def kind(self, code: str, channel: str) -> Verdict:
        """Say what one of the provider's own codes means, wherever it was met: answer, callback, look-up.

        Args:
            code: As the provider writes it.
            channel: The channel that the message went by, ``SMS``. A code may mean less on a channel that
                has another after it.
        """
        found = self._listed(code, channel)
        return Verdict(found or self._unseen.get(channel, Kind.REJECTED), known=found is not None)

    def lists(self, code: str) -> bool:
        """Say whether the table names this code for every channel."""
        return code in self._code

    def judge(self, status: int, code: str | None = None, channel: str = "") -> Verdict:
        """Say what an answer that is no acceptance means: by code, else by status, else by default.

        Args:
            status: The HTTP status.
            code: The provider's own code, if the answer had one.
            channel: As for ``kind``.
        """
        listed = self._listed(code, channel) if code else None
        if listed:
            return Verdict(listed, known=True)
        by_status = self._status.get(str(status))
        if by_status:
            return Verdict(by_status, known=code is None)
        of_class = f"{status // 100}xx"
        default = self._class.get(of_class) or (self._unseen.get(channel) if of_class == "4xx" else None)
        return Verdict(default or Kind.AMBIGUOUS, known=False)

    def error(self, verdict: Verdict, code: str, detail: str, wait: float | None = None) -> ProviderError:
        """Make the error of a verdict.

        Args:
            verdict: What ``judge`` or ``kind`` said.
            code: The code to show.
            detail: What the provider said, redacted.
            wait: Seconds that the provider asked to be left alone, if it did. Held within the table's bounds;
                a code with a pause of its own has that one.
        """
        if verdict.kind is Kind.RATE_LIMITED:
            return RateLimited(code, detail, self._pause(code, wait), known=verdict.known)
        return _ERRORS[verdict.kind](code, detail, known=verdict.known)

    def _listed(self, code: str, channel: str) -> Kind | None:
        return self._code_of.get(channel, {}).get(code) or self._code.get(code)

    def _pause(self, code: str, wait: float | None) -> float:
        bounds = self._rate_limit
        asked = bounds["default"] if wait is None else wait
        return self._wait.get(code) or min(max(asked, bounds["least"]), bounds["most"])


def _kinds(table: Mapping[str, str]) -> dict[str, Kind]:
    return {code: Kind(kind) for code, kind in table.items()}
