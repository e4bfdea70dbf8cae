"""A typed client of the sandbox's control API, for tests and the demo."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

import urllib3
from pydantic import TypeAdapter

from workers.dev.sandbox.wire import (
    Fault,
    FaultKind,
    FaultView,
    MessageDetail,
    MessageSummary,
    SettingsPatch,
    SettingsView,
    Stats,
)

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from pydantic import BaseModel

_SUMMARIES = TypeAdapter(list[MessageSummary])
_FAULTS = TypeAdapter(list[FaultView])


class SandboxError(Exception):
    """The sandbox did not do what it was asked; the text says why."""


class SandboxClient:
    """Talks to one sandbox. A context manager; safe to use from several threads.

    Args:
        base_url: Where it listens, without a slash at the end.
        timeout: Seconds that one call may take.
    """

    def __init__(self, base_url: str, timeout: float = 10.0) -> None:
        self.base_url = base_url
        self._pool = urllib3.PoolManager(timeout=timeout, retries=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the kept connections."""
        self._pool.clear()

    def wait_until_ready(self, seconds: float = 10.0) -> None:
        """Return once the sandbox answers.

        Raises:
            SandboxError: It did not within the given time.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                self._call("GET", "/health")
            except urllib3.exceptions.HTTPError as error:
                if time.monotonic() > deadline:
                    message = f"no sandbox answers at {self.base_url} after {seconds:g} s"
                    raise SandboxError(message) from error
                time.sleep(0.02)
            else:
                return

    def messages(self, *, to: str = "", token: str | None = None) -> list[MessageSummary]:
        """What was accepted, oldest first.

        Args:
            to: Only messages with this in a recipient's address.
            token: Only messages with a custom argument of this value.
        """
        filters = {"to": to} if token is None else {"to": to, "token": token}
        return _SUMMARIES.validate_json(self._api("GET", "messages", fields=filters))

    def message(self, message_id: str) -> MessageDetail:
        """One message with its parts, by the provider's id."""
        return MessageDetail.model_validate_json(self._api("GET", f"messages/{message_id}"))

    def clear(self) -> None:
        """Forget all messages."""
        self._api("DELETE", "messages")

    def fault(  # noqa: PLR0913  one keyword for each field of `Fault`
        self,
        kind: FaultKind,
        *,
        count: int = 1,
        to: str = "",
        seconds: float | None = None,
        when: Literal["before", "after"] | None = None,
        status: int | None = None,
        retry_after: int | None = None,
    ) -> None:
        """Set a fault for the next ``count`` requests; the fields are those of `Fault`.

        Raises:
            pydantic.ValidationError: The fields don't fit the kind.
        """
        fault = Fault(
            kind=kind, count=count, to=to, seconds=seconds, when=when, status=status, retry_after=retry_after
        )
        self._api("POST", "faults", body=fault)

    def faults(self) -> list[FaultView]:
        """The faults that still wait for requests."""
        return _FAULTS.validate_json(self._api("GET", "faults"))

    def clear_faults(self) -> None:
        """Forget all faults."""
        self._api("DELETE", "faults")

    def settings(self) -> SettingsView:
        """The settings as they are."""
        return SettingsView.model_validate_json(self._api("GET", "settings"))

    def public_key(self) -> str:
        """What checks the signatures of the events, as SendGrid's settings show it."""
        return self.settings().public_key

    def set_key(self, api_key: str) -> None:
        """Accept only this key from now on."""
        self._api("PATCH", "settings", body=SettingsPatch(api_key=api_key))

    def set_latency(self, seconds: float) -> None:
        """Let each answer take this long."""
        self._api("PATCH", "settings", body=SettingsPatch(latency=seconds))

    def set_webhook_url(self, url: str) -> None:
        """Post events there from now on; empty for nowhere."""
        self._api("PATCH", "settings", body=SettingsPatch(webhook_url=url))

    def hold_webhooks(self) -> None:
        """Let callbacks wait."""
        self._api("PATCH", "settings", body=SettingsPatch(webhooks=False))

    def release_webhooks(self) -> None:
        """Post the callbacks that waited, and all others at once."""
        self._api("PATCH", "settings", body=SettingsPatch(webhooks=True))

    def stats(self) -> Stats:
        """The counts since the sandbox started."""
        return Stats.model_validate_json(self._api("GET", "stats"))

    def _api(
        self, method: str, path: str, *, body: BaseModel | None = None, fields: dict[str, str] | None = None
    ) -> bytes:
        arguments: dict[str, Any] = {}
        if body is not None:
            arguments["body"] = body.model_dump_json(exclude_unset=True)
            arguments["headers"] = {"Content-Type": "application/json"}
        if fields is not None:
            arguments["fields"] = fields
        return self._call(method, f"/sandbox/api/{path}", **arguments)

    def _call(self, method: str, path: str, **arguments: Any) -> bytes:
        answer = self._pool.request(method, self.base_url + path, **arguments)
        if answer.status >= 400:  # noqa: PLR2004  the range of errors
            raise SandboxError(f"{method} {path}: {answer.status} {answer.data.decode(errors='replace')}")
        return answer.data
