"""What an operator sees of findings, and how they are resolved."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from db.queries import findings
from tests.workers.test_by_hand import fleet, rows

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

NOW = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)
ORDER = uuid4()


@pytest.fixture(autouse=True)
def _on_this_database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)


@pytest.fixture
def made(sessions: sessionmaker[Session]) -> list[UUID]:
    """A mismatch, and a dispute found later."""
    details = {"expected": 12000, "received": 11999, "currency": "eur"}
    with sessions.begin() as session:
        findings.put(session, "AMOUNT_MISMATCH", "pi_1", details, "nothing [yet]", NOW, order_id=ORDER)
        findings.put(session, "DISPUTE", "du_1", {"status": "lost"}, "told", NOW + timedelta(hours=1))
        return [found.id for found in reversed(findings.listing(session, open_only=True, kind=None, limit=9))]


def listed(*words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(fleet("findings", *words, "--json").stdout)
    return found


def test_open_ones_are_listed_the_newest_first(made: list[UUID]) -> None:
    assert [each["id"] for each in listed()] == [str(each) for each in reversed(made)]
    assert [each["subject"] for each in listed("--kind", "amount_mismatch")] == ["pi_1"]
    assert len(listed("--limit", "1")) == 1
    shown = fleet("findings")
    assert shown.exit_code == 0
    assert all(word in shown.stdout for word in (*map(str, made), "pi_1", "AMOUNT_MISMATCH", "nothing [yet]"))


def test_one_is_shown_with_all_that_is_known(made: list[UUID]) -> None:
    shown = fleet("findings", "show", str(made[0]))
    assert shown.exit_code == 0
    assert all(
        word in shown.stdout for word in ("expected", "11999", "nothing [yet]", "2026-11-22 03:30:00 UTC")
    )
    whole = json.loads(fleet("findings", "show", str(made[0]), "--json").stdout)
    assert whole["details"] == {"expected": 12000, "received": 11999, "currency": "eur"}
    assert (whole["order_id"], whole["found_at"]) == (str(ORDER), "2026-11-22T03:30:00+00:00")


def test_one_is_resolved_once_and_recorded(made: list[UUID], application: sessionmaker[Session]) -> None:
    wanted = str(made[0])
    said = fleet("findings", "resolve", wanted, "--why", "refunded by hand")
    assert (said.exit_code, "Nothing was done" in said.stdout, "pi_1" in said.stdout) == (0, True, True)
    assert json.loads(fleet("findings", "resolve", wanted, "--json").stdout)["resolve"]["id"] == wanted
    assert fleet("findings", "resolve", wanted, "--yes").exit_code == 2
    assert len(listed()) == 2

    words = ("findings", "resolve", wanted, "--why", "refunded by hand", "--who", "dominique", "--yes")
    assert fleet(*words).exit_code == 0
    again = fleet(*words)
    assert (again.exit_code, "by dominique: refunded by hand" in again.stderr) == (1, True)

    assert [each["subject"] for each in listed()] == ["du_1"]
    (resolved,) = [each for each in listed("--all") if each["id"] == wanted]
    assert (resolved["resolved_by"], resolved["note"]) == ("dominique", "refunded by hand")
    assert "by dominique: refunded by hand" in " ".join(fleet("findings", "show", wanted).stdout.split())
    record = rows(application, "select action, subject, who, why, details from fleet.interventions")
    assert [tuple(row) for row in record] == [
        ("resolve", made[0], "dominique", "refunded by hand", {"kind": "AMOUNT_MISMATCH"})
    ]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["show", "pi_1"], 2),
        (["resolve", "pi_1"], 2),
        (["--kind", "MADE_UP"], 2),
        (["show", str(UUID(int=0))], 1),
        (["resolve", str(UUID(int=0)), "--why", "x", "--yes"], 1),
    ],
)
def test_what_is_no_finding_is_said(words: list[str], code: int) -> None:
    assert fleet("findings", *words).exit_code == code
