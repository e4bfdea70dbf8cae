"""One pooled HTTP layer under every vendor's SDK.

The SDKs build requests; this sends them. What it adds to urllib3 is one exact distinction: whether a request
that failed may have reached the provider. If it surely did not, it is tried again here. If it may have, it
never is: mail and message APIs have no idempotency key.
"""

from __future__ import annotations

import re
import ssl
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay, wait_random
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import EmptyPoolError, HTTPError, LocationValueError, ReadTimeoutError

from providers.errors import Ambiguous, Transient
from providers.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from urllib3 import BaseHTTPResponse, HTTPResponse

CONNECT_TRIES = 3
# Seconds between tries, drawn evenly: enough for a proxy that restarts, little in a lease.
CONNECT_PAUSE = (0.05, 0.25)

# Load balancers forget an idle line after a minute or more, often without a word, and what is sent into a
# forgotten line ends with an unknown outcome. A line idle for longer than this is replaced instead.
IDLE_SECONDS = 20.0

# Bytes. Well above a full page of any vendor's list, so that the bound protects memory and nothing else.
BODY_BOUND = 8 << 20
_CHUNK = 1 << 16

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer.

    Attributes:
        status: The HTTP status.
        headers: By name, in any case.
        body: As it came, cut at ``BODY_BOUND`` bytes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class PooledTransport:
    """Sends requests over kept-alive lines that all threads share.

    Make one per process, after any fork: a line must not have two owners.

    Args:
        connect_timeout: Seconds to open a line to one address (TCP, then TLS), and to wait for a free one.
        read_timeout: Seconds to wait for the answer to begin, then again for all of its body.
        connections: Lines kept to one host, and the most that are open at once.
    """

    def __init__(self, connect_timeout: float, read_timeout: float, connections: int) -> None:
        self._read_timeout = read_timeout
        self._options: dict[str, Any] = {
            "timeout": Timeout(connect=connect_timeout, read=read_timeout),
            "pool_timeout": connect_timeout,
            "retries": False,
            "redirect": False,
            "preload_content": False,
            "decode_content": False,
        }
        # One TLS context for all lines: to make one is to parse the system's certificates, some 20 ms.
        self._pool = PoolManager(maxsize=connections, block=True, ssl_context=ssl.create_default_context())
        self._pool.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
        self._retrying = Retrying(
            retry=retry_if_exception_type(_NeverLeft),
            stop=stop_after_attempt(CONNECT_TRIES) | stop_before_delay(connect_timeout),
            wait=wait_random(*CONNECT_PAUSE),
            reraise=True,
        )

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Response:
        """Send one request, once, and read the answer. Redirects are answers like any other.

        A line that cannot be opened is tried up to ``CONNECT_TRIES`` times, the last time within
        ``connect_timeout`` seconds of the first. Opening thus ends within twice that, for a host with one
        address; the system's resolver keeps its own time.

        Args:
            method: The HTTP method.
            url: Absolute, ``http`` or ``https``.
            headers: Sent as they are, beside Host, Content-Length and Accept-Encoding.
            body: The request's body.

        Raises:
            Transient: The request surely never left this machine.
            Ambiguous: It left, or may have, and no whole answer came back.
            ValueError: The URL or a header is malformed; nothing was sent.
        """
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise ValueError(f"header {name!r} has characters that HTTP does not allow; remove them")
        try:
            answer: Response = self._retrying(self._exchange, method, url, headers, body)
        except _NeverLeft as error:
            raise Transient("connect_error", str(error)) from error
        return answer

    def close(self) -> None:
        """Close the idle lines."""
        self._pool.clear()

    def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Response:
        try:
            answer = self._pool.urlopen(method, url, body=body, headers=headers, **self._options)
            try:
                return Response(answer.status, answer.headers, self._read(answer))
            finally:
                # A whole answer has given its line back by itself; one cut short gives it back closed.
                answer.close()
                answer.release_conn()
        except EmptyPoolError as error:
            raise _NeverLeft("no line came free in time") from error
        except LocationValueError:
            raise
        except (ReadTimeoutError, TimeoutError) as error:
            raise Ambiguous("read_timeout", f"no whole answer within {self._read_timeout:g} s") from error
        except (HTTPError, HTTPException, OSError) as error:
            raise Ambiguous("broken_answer", _reason(error)) from error

    def _read(self, answer: BaseHTTPResponse) -> bytes:
        deadline = time.monotonic() + self._read_timeout
        body = bytearray()
        while len(body) < BODY_BOUND and (chunk := answer.read1(_CHUNK)):
            body += chunk
            if time.monotonic() > deadline:
                raise TimeoutError
        return bytes(body[:BODY_BOUND])


class _NeverLeft(Exception):  # noqa: N818 - a finding about the request, never seen outside this module
    """No line could be opened, so no byte of the request was sent."""


@contextmanager
def _opening() -> Iterator[None]:
    try:
        yield
    except (HTTPError, HTTPException, OSError) as error:
        raise _NeverLeft(_reason(error)) from error


def _reason(error: BaseException) -> str:
    # urllib3 wraps the operating system's word in its own, which names objects and addresses.
    root = error.__cause__ or error
    return redact(f"{type(root).__name__}: {getattr(root, 'strerror', None) or root}")


class _Line(HTTPConnection):
    """Knows failure before the first byte from failure after it, and its own age.

    urllib3 opens a line in ``connect``, TLS included, before it sends. Its exceptions alone do not tell a
    line that broke during the TLS handshake from one that broke under the request.
    """

    _last_answer = 0.0

    def connect(self) -> None:
        with _opening():
            super().connect()
        self._last_answer = time.monotonic()

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # urllib3's own, as in its base class
        answer = super().getresponse()
        self._last_answer = time.monotonic()
        if answer.status < HTTPStatus.OK:
            # An early word has its answer still to come, which the next request would take for its own.
            self.close()
        return answer

    @property
    def is_connected(self) -> bool:
        # urllib3 asks before it uses a line again, and opens another if the answer is no.
        return time.monotonic() - self._last_answer < IDLE_SECONDS and super().is_connected


class _TLSLine(_Line, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Line


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSLine
