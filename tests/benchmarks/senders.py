"""The candidates of ``docs/adr/0004-how-emails-are-sent.md``.

Each sends one e-mail that the SDK has built, over lines that it keeps for the next, many side by side.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ClassVar

import aiohttp
import pycurl
import urllib3
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import Category, Content, CustomArg, From, Mail, To

from providers.base import EmailMessage
from providers.sendgrid import SendGridEmail
from providers.transport import PooledTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "SG.made-up"
HTML = "<p>Votre dossier est complet.</p>" * 165
TEXT = "Votre dossier est complet. " * 55
SUBJECT, CATEGORY, RECIPIENT = "Dossier complet", "DOSSIER_COMPLETE", "camille@example.com"
TIMEOUT = 10


def mail() -> Mail:
    message = Mail(From("ne-pas-repondre@example.com", "VRAI"), To(RECIPIENT), SUBJECT)
    message.add_content(Content("text/plain", TEXT))
    message.add_content(Content("text/html", HTML))
    message.add_custom_arg(CustomArg("attempt", str(uuid.uuid4())))
    message.add_category(Category(CATEGORY))
    return message


class Sender(ABC):
    """One candidate, against the provider at ``base``."""

    label: ClassVar[str]

    def __init__(self, base: str, side_by_side: int) -> None:
        self.side_by_side = side_by_side
        self.api = SendGridAPIClient(KEY, host=base)
        endpoint = self.api.client.mail.send
        self.url = endpoint._build_url(None)
        self.headers = {**endpoint.request_headers, "Content-Type": "application/json"}

    @staticmethod
    def body() -> bytes:
        return json.dumps(mail().get()).encode()

    @abstractmethod
    def send(self, count: int) -> None:
        """Send ``count`` e-mails; an exception if one fails."""

    def close(self) -> None:
        """Close the lines, where leaving that to the garbage collector would warn."""
        return


class Threads(Sender):
    def send(self, count: int) -> None:
        with ThreadPoolExecutor(self.side_by_side) as pool:
            for done in [pool.submit(self.one) for _ in range(count)]:
                done.result()

    @abstractmethod
    def one(self) -> None:
        """Send one e-mail."""


class AsItIs(Threads):
    label = "(a) threads, the SDK as it is"

    def one(self) -> None:
        self.api.send(mail())


class SharedPool(Threads):
    label = "(b) threads, one urllib3 pool"

    def __init__(self, base: str, side_by_side: int) -> None:
        super().__init__(base, side_by_side)
        self.pool = urllib3.PoolManager(maxsize=side_by_side, block=True, timeout=TIMEOUT)

    def one(self) -> None:
        self.pool.urlopen(
            "POST", self.url, body=self.body(), headers=self.headers, retries=False, redirect=False
        )

    def close(self) -> None:
        self.pool.clear()


class EventLoop(Sender):
    label = "(c) event loop, aiohttp"

    def __init__(self, base: str, side_by_side: int) -> None:
        super().__init__(base, side_by_side)
        self.loop = asyncio.new_event_loop()
        self.session = self.loop.run_until_complete(self._session())

    async def _session(self) -> aiohttp.ClientSession:
        lines = aiohttp.TCPConnector(limit=self.side_by_side)
        return aiohttp.ClientSession(connector=lines, timeout=aiohttp.ClientTimeout(TIMEOUT))

    def send(self, count: int) -> None:
        self.loop.run_until_complete(self._all(iter(range(count))))

    async def _all(self, numbers: Iterator[int]) -> None:
        await asyncio.gather(*(self._some(numbers) for _ in range(self.side_by_side)))

    async def _some(self, numbers: Iterator[int]) -> None:
        for _ in numbers:
            request = self.session.post(
                self.url, data=self.body(), headers=self.headers, allow_redirects=False
            )
            async with request as answer:
                await answer.read()

    def close(self) -> None:
        self.loop.run_until_complete(self.session.close())
        self.loop.close()


class EasyHandles(Threads):
    label = "(d) threads, pycurl easy handles"

    def __init__(self, base: str, side_by_side: int) -> None:
        super().__init__(base, side_by_side)
        self.idle: list[pycurl.Curl] = []  # They outlive the threads of one call, as their lines do.

    def one(self) -> None:
        easy = self.idle.pop() if self.idle else pycurl.Curl()
        self.prepare(easy)
        easy.perform()
        self.idle.append(easy)

    def prepare(self, easy: pycurl.Curl) -> None:
        curl_request(easy, self.url, self.headers, self.body())


class OneShotBodies(EasyHandles):
    label = "(d) the same, bodies that cannot be rewound"

    def prepare(self, easy: pycurl.Curl) -> None:
        body = self.body()
        parts = iter([body])
        curl_options(easy, self.url, self.headers)
        easy.setopt(pycurl.POST, 1)
        easy.setopt(pycurl.POSTFIELDSIZE, len(body))
        easy.setopt(pycurl.READFUNCTION, lambda _room: next(parts, b""))


class MultiInterface(Sender):
    label = "(e) pycurl's multi interface"

    def __init__(self, base: str, side_by_side: int) -> None:
        super().__init__(base, side_by_side)
        self.multi = pycurl.CurlMulti()
        self.handles = [pycurl.Curl() for _ in range(side_by_side)]

    def send(self, count: int) -> None:
        idle, left = list(self.handles), count
        while left or len(idle) < len(self.handles):
            while idle and left:
                easy = idle.pop()
                curl_request(easy, self.url, self.headers, self.body())
                self.multi.add_handle(easy)
                left -= 1
            self.multi.perform()
            _, done, failed = self.multi.info_read()
            for easy in done + [one for one, *_ in failed]:
                self.multi.remove_handle(easy)
                idle.append(easy)
            if failed:
                raise pycurl.error(*failed[0][1:])
            if not done:
                self.multi.select(1.0)


def curl_request(easy: pycurl.Curl, url: str, headers: dict[str, str], body: bytes) -> None:
    curl_options(easy, url, headers)
    easy.setopt(pycurl.POSTFIELDS, body)


def curl_options(easy: pycurl.Curl, url: str, headers: dict[str, str]) -> None:
    easy.setopt(pycurl.URL, url)
    easy.setopt(pycurl.HTTPHEADER, [*(f"{name}: {value}" for name, value in headers.items()), "Expect:"])
    easy.setopt(pycurl.WRITEFUNCTION, len)
    easy.setopt(pycurl.TIMEOUT_MS, TIMEOUT * 1000)
    easy.setopt(pycurl.NOSIGNAL, 1)


class Adapter(Threads):
    label = "providers.sendgrid over its transport"

    def __init__(self, base: str, side_by_side: int) -> None:
        super().__init__(base, side_by_side)
        self.lines = PooledTransport(TIMEOUT, TIMEOUT, side_by_side)
        self.provider = SendGridEmail(KEY, base, "VRAI <ne-pas-repondre@example.com>", self.lines)

    def one(self) -> None:
        self.provider.send(EmailMessage(uuid.uuid4(), RECIPIENT, SUBJECT, HTML, TEXT, CATEGORY))

    def close(self) -> None:
        self.lines.close()


CANDIDATES: tuple[type[Sender], ...] = (AsItIs, SharedPool, EventLoop, EasyHandles, MultiInterface, Adapter)
