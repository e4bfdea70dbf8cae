"""The connection beneath the control API's client."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import urllib3

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from pydantic import BaseModel


class SandboxError(Exception):
    """The sandbox did not do what it was asked; the text says why."""


class ControlLine:
    """Kept connections to one sandbox. A context manager; safe to use from several threads.

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

    def wait_until_ready(self, seconds: float = 30.0) -> None:
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
