"""A v1 database full of what v1 lets happen: nulls, blanks, doubles, odd orders of time, strangers."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from db.engine import dsn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

V1 = (Path(__file__).parent / "v1.sql").read_bytes()
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

Row = dict[str, Any]


@contextmanager
def v1_database(server: str) -> Iterator[str]:
    """An empty v1 database of its own."""
    name = f"fleet_test_v1_{Random().getrandbits(48):012x}"  # noqa: S311 -- a name
    identifier = sql.Identifier(name)
    with psycopg.connect(dsn(server), autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(identifier))
    url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    try:
        with psycopg.connect(dsn(url)) as connection:
            connection.execute(V1)
        yield url
    finally:
        with psycopg.connect(dsn(server), autocommit=True) as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(identifier))


class Writer:
    """Inserts rows made up from a seed, and keeps their ids."""

    def __init__(self, connection: psycopg.Connection[Any], seed: int) -> None:
        self.connection = connection
        self.random = Random(seed)  # noqa: S311 -- test data
        self.ids: dict[str, list[UUID]] = {}

    def uuid(self) -> UUID:
        return UUID(int=self.random.getrandbits(128))

    def time(self) -> datetime:
        # Few moments, so that several rows share one.
        return NOON + timedelta(hours=self.random.randrange(12))

    def one(self, values: Sequence[Any]) -> Any:
        return self.random.choice(values)

    def of(self, table: str) -> Any:
        """A row of a table, or none."""
        return self.one([*self.ids.get(table, []), None])

    def insert(self, table: str, row: Row) -> UUID:
        row = {"id": self.uuid()} | row
        self.connection.execute(
            sql.SQL("insert into {} ({}) values ({})").format(
                sql.Identifier(*table.split(".")),
                sql.SQL(", ").join(map(sql.Identifier, row)),
                sql.SQL(", ").join(sql.Placeholder() * len(row)),
            ),
            list(row.values()),
        )
        self.ids.setdefault(table, []).append(row["id"])
        return UUID(str(row["id"]))


def populate(connection: psycopg.Connection[Any], seed: int, size: int = 12) -> None:
    """Fill a v1 database; ``size`` is the number of dossiers."""
    w = Writer(connection, seed)
    for number in range(4):
        user = w.insert("auth.users", {"email": w.one([f"client{number}@example.com", None])})
        phone = w.one(["+33639980001", "", None])
        w.insert("profiles", {"id": user, "phone": phone, "created_at": w.one([w.time(), None])})
        email = w.one([f"agent{number}@example.com", f"@{number}.example.com"])
        w.insert("agents", {"email": email, "name": w.one(["Alix", None])})
        w.insert(
            "steps",
            {"code": f"S{number}", "label": w.one(["Step", None]), "position": w.one([number, -3])},
        )
        w.insert(
            "document_types",
            {"code": w.one([f"T{number}", "UNKNOWN"]) if number == 0 else f"T{number}", "label": None},
        )
    people = [*w.ids["profiles"], *w.ids["agents"], UUID(int=7), None]
    for _ in range(size):
        _dossier(w, people)
    for _ in range(size // 3):
        _stray(w)


def _dossier(w: Writer, people: Sequence[UUID | None]) -> None:
    # One in nine has no user.
    user = w.one([*w.ids["profiles"] * 2, None])
    dossier = w.insert(
        "dossiers",
        {
            "user_id": user,
            "type": w.one(["LLC", "CORP", "BANKING"]),
            "status": w.one(["QUALIFICATION", "CLOSED"]),
            "current_step_id": w.one([*w.ids["steps"], UUID(int=9), None]),
            "created_at": w.one([w.time(), None]),
            "updated_at": w.one([w.time(), None]),
        },
    )
    for _ in range(w.random.randrange(5)):
        times = {"started_at": w.one([w.time(), None]), "completed_at": w.one([w.time(), None])}
        w.insert("step_instances", {"dossier_id": dossier, "step_id": w.of("steps")} | times)
        w.insert(
            "dossier_status_history",
            {"dossier_id": w.one([dossier, dossier, None]), "status": "ERROR", "changed_by": w.one(people)},
        )
        content = w.one(["Bonjour", "Bonjour", "  "])
        w.insert(
            "messages",
            {"dossier_id": w.one([dossier, dossier, None]), "sender_id": w.one(people), "content": content},
        )
        _document(w, dossier, people)
        _notification(w, dossier, user)


def _document(w: Writer, dossier: UUID, people: Sequence[UUID | None]) -> None:
    document = w.insert(
        "documents",
        {
            "dossier_id": w.one([dossier] * 6 + [None]),
            "document_type_id": w.of("document_types"),
            "status": w.one(["APPROVED", None]),
            "created_at": w.one([w.time(), None]),
        },
    )
    for _ in range(w.random.randrange(4)):
        version = w.insert(
            "document_versions",
            {
                "document_id": w.one([document] * 6 + [None]),
                "file_url": "https://files.example.com/1",
                "uploaded_by": w.one(people),
                "uploaded_at": w.one([w.time(), w.time(), None]),
            },
        )
        w.insert(
            "document_reviews",
            {
                "document_version_id": w.one([version] * 4 + [None]),
                "reviewer_id": w.of("agents"),
                "status": "REJECTED",
                "reviewed_at": w.one([w.time(), None]),
            },
        )


def _notification(w: Writer, dossier: UUID, user: UUID | None) -> None:
    notification = w.insert(
        "notifications",
        {
            "user_id": w.one([user, None]),
            "dossier_id": w.one([dossier, None]),
            "title": w.one(["Title", None]),
            "message": w.one(["Text", None]),
            "template_code": w.one(["WELCOME", None]),
            "payload": w.one([Jsonb({"a": 1}), None]),
        },
    )
    for channel in ("EMAIL", "SMS", "IN_APP"):
        w.insert(
            "notification_deliveries",
            {
                "notification_id": w.one([notification] * 6 + [None]),
                "channel": channel,
                "recipient": w.one(["someone", " ", None]),
                "status": w.one(["FAILED", None]),
                "sent_at": w.one([w.time(), None]),
            },
        )


def _stray(w: Writer) -> None:
    w.insert(
        "events",
        {
            "entity_type": w.one(["dossier", ""]),
            "entity_id": w.uuid(),
            "event_type": "ERROR",
            "created_at": w.one([w.time(), None]),
        },
    )
