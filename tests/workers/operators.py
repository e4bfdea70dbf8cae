"""An operator at the pages: signed in over real HTTP, with what the pages are about in the database."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pydantic import HttpUrl, SecretStr
from sqlalchemy import text

from tests.workers.ingress_server import FORM
from workers.ops.app import routes
from workers.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    import urllib3
    from sqlalchemy.orm import Session, sessionmaker
    from starlette.routing import Route

    from tests.notifications.pipeline import Clock
    from tests.workers.ingress_server import Caller

USER, PASSWORD, NAME = "operator", "correct horse", "Dominique Exemple"
FLOWER = "https://flower.example.com/"


def settings(**changed: Any) -> Settings:
    """Those that the pages read, and nothing of the environment."""
    given: dict[str, Any] = {
        "ops_user": USER,
        "ops_password": SecretStr(PASSWORD),
        "public_url": HttpUrl("http://127.0.0.1"),
        "locale": "fr",
        "health_max_age_seconds": 60.0,
        "poll_share_warning": 0.1,
        "flower_url": HttpUrl(FLOWER),
    }
    return Settings.model_construct(**given | changed)


def pages(
    sessions: sessionmaker[Session],
    clock: Clock,
    published: list[tuple[str, str, UUID]] | None = None,
    **changed: Any,
) -> list[Route]:
    """The pages' routes; runs that are asked for end in the list."""

    def publish(queue: str, name: str, claim: UUID) -> None:
        if published is not None:
            published.append((queue, name, claim))

    return routes(settings(**changed), sessions, publish, clock)


@dataclass
class Operator:
    """A person at the pages.

    Attributes:
        caller: Asks the ingress.
        application: To see and change what is in the database.
        language: What the browser asks for.
    """

    caller: Caller
    application: sessionmaker[Session]
    language: str = "en"
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> urllib3.BaseHTTPResponse:
        return self.caller.ask(f"/ops{path}", headers=self._headers() | dict(headers or {}))

    def read(self, path: str) -> str:
        """The page as text with its markup, entities resolved."""
        answer = self.get(path)
        assert answer.status == 200, (path, answer.status)
        return unescape(answer.data.decode())

    def post(
        self, path: str, fields: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        sent = self._headers() | {"Content-Type": FORM, "Sec-Fetch-Site": "same-origin"} | dict(headers or {})
        answer = self.caller.post(f"/ops{path}", urlencode(fields, doseq=True).encode(), sent)
        for cookie in answer.headers.getlist("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def sign_in(
        self, password: str = PASSWORD, name: str = NAME, user: str = USER
    ) -> urllib3.BaseHTTPResponse:
        return self.post("/sign-in", {"user": user, "password": password, "name": name})

    def do(self, name: str, asked: Mapping[str, Any], why: str = "mended") -> urllib3.BaseHTTPResponse:
        """Read what an action would do, and send the form of that page."""
        page = self.read(f"/do/{name}?{urlencode(asked, doseq=True)}")
        fields: dict[str, Any] = {"why": why}
        for key, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page):
            fields.setdefault(key, []).append(value)
        return self.post(f"/do/{name}", fields)

    def rows(self, statement: str, **values: object) -> list[Any]:
        with self.application() as session:
            return list(session.execute(text(statement), values))

    def change(self, statement: str, **values: object) -> None:
        with self.application.begin() as session:
            session.execute(text(statement), values)

    def _headers(self) -> dict[str, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items() if value)
        return {"Accept-Language": self.language} | ({"Cookie": cookies} if cookies else {})
