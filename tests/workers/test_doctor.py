"""``fleet doctor`` names each fault that is planted, says how to mend it, and looks at all the rest too."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from providers.transport import PooledTransport
from schedules.timetable import timetable
from tests.e2e.pgbouncer import pooler
from tests.notifications.pipeline import execute
from tests.providers.stub import Reply, StubServer
from tests.sandbox.conftest import serving as serving_sandbox
from tests.workers.ingress_server import serving as serving_ingress
from tests.workers.test_settings import COMPLETE
from workers.cli import app
from workers.clock import utc_now
from workers.commands.examining import exit_code
from workers.dev.sandbox.state import SandboxSettings
from workers.diagnosis import State, examine
from workers.doctor import diagnose
from workers.doctor_outside import OutsideDoctor
from workers.settings import Settings

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session, sessionmaker

    from tests.databases import Database
    from tests.notifications.pipeline import Clock
    from workers.dev.embedded.redis import EmbeddedRedis
    from workers.dev.sandbox.client import SandboxClient
    from workers.diagnosis import Diagnosis

NOBODY = "127.0.0.1:1"

SOUND = {
    *("versions", "settings", "database", "clock of the database", "pooler", "schema", "rights", "holes"),
    *("schedule", "broker", "limits", "SendGrid", "clock of SendGrid", "Twilio", "clock of Twilio"),
    *("Stripe", "clock of Stripe", "PUBLIC_URL"),
}


@pytest.fixture(scope="module")
def leaving() -> Iterator[list[threading.Thread]]:
    threads: list[threading.Thread] = []
    yield threads
    for thread in threads:
        thread.join()


@pytest.fixture(scope="module")
def sandbox(leaving: list[threading.Thread]) -> Iterator[SandboxClient]:
    settings = SandboxSettings(
        api_key=COMPLETE["SENDGRID_API_KEY"],
        account_sid=COMPLETE["TWILIO_ACCOUNT_SID"],
        auth_token=COMPLETE["TWILIO_AUTH_TOKEN"],
        stripe_key=COMPLETE["STRIPE_SECRET_KEY"],
    )
    with serving_sandbox(settings, leaving) as client:
        yield client


@pytest.fixture
def sound(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    database: Database,
    redis_server: EmbeddedRedis,
    sandbox: SandboxClient,
    sessions: sessionmaker[Session],
    clock: Clock,
    leaving: list[threading.Thread],
) -> Iterator[pytest.MonkeyPatch]:
    """A fleet with nothing wrong, and the means to change its environment."""
    names = ", ".join(f"('{entry.name}', now())" for entry in timetable())
    execute(database.owner_url, f"insert into fleet.schedule (name, since) values {names}")
    for name in [name for name in os.environ if name.startswith("FLEET_")]:
        monkeypatch.delenv(name)
    with serving_ingress(sessions, clock, leaving) as ingress:
        given = COMPLETE | {
            "DATABASE_URL": database.url,
            "REDIS_URL": redis_server.url,
            "PUBLIC_URL": ingress.url,
            "SENDGRID_BASE_URL": sandbox.base_url,
            "TWILIO_BASE_URL": sandbox.base_url,
            "STRIPE_BASE_URL": sandbox.base_url,
        }
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        yield monkeypatch


def unsound(*, ahead: timedelta = timedelta(0)) -> list[Diagnosis]:
    """What is not as it should be; all else was looked at as well, and no secret is told."""
    found = list(diagnose(lambda: utc_now() + ahead))
    assert "hush" not in json.dumps([(each.told, each.mend) for each in found])
    return [each for each in found if each.state is not State.OK]


def the_only_fault(**how: Any) -> Diagnosis:
    (fault,) = found = unsound(**how)
    assert fault.mend
    assert exit_code(found) == {State.ADVICE: 0, State.FAULT: 1, State.AWAY: 3}[fault.state]
    return fault


def outside(look: Callable[[OutsideDoctor], Iterator[Diagnosis]]) -> list[Diagnosis]:
    """The same of one look at what is outside, which spares the others."""
    transport = PooledTransport(connect_timeout=1.0, read_timeout=5.0, connections=1)
    found = list(look(OutsideDoctor(Settings.load(), utc_now, transport)))
    transport.close()
    return [each for each in found if each.state is not State.OK]


@contextmanager
def planted(database: Database, do: str, undo: str) -> Iterator[None]:
    execute(database.owner_url, do)
    try:
        yield
    finally:
        execute(database.owner_url, undo)


@pytest.mark.usefixtures("sound")
def test_a_sound_fleet_has_nothing_wrong() -> None:
    found = list(diagnose(utc_now))
    assert {each.about for each in found if each.state is State.OK} == SOUND
    assert len(found) == len(SOUND)
    told, as_json = (CliRunner().invoke(app, ["doctor", *words]) for words in ([], ["--json"]))
    assert (told.exit_code, as_json.exit_code) == (0, 0)
    assert len(told.stdout.splitlines()) == len(SOUND)
    assert {each["about"] for each in json.loads(as_json.stdout)} == SOUND


def test_a_setting_that_is_missing(sound: pytest.MonkeyPatch) -> None:
    sound.delenv("EMAIL_FROM")
    found = unsound()
    assert [(each.about, each.state.value) for each in found] == [
        ("settings", "fault"),
        *((about, "skipped") for about in ("broker", "keys", "PUBLIC_URL")),
    ]
    assert "EMAIL_FROM" in found[0].told
    assert "docs/configuration.md" in found[0].mend
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 2
    sound.delenv("DATABASE_URL")
    assert [each.about for each in unsound()] == ["settings", "database", "broker", "keys", "PUBLIC_URL"]


def test_a_setting_that_is_misspelt(sound: pytest.MonkeyPatch) -> None:
    sound.setenv("FLEET_LOCAL", "en")
    (advice,) = unsound()
    assert (advice.about, advice.state) == ("settings", State.ADVICE)
    assert ("FLEET_LOCAL " in advice.told, "FLEET_LOCALE" in advice.mend) == (True, True)
    assert exit_code([advice]) == 0


def test_a_database_that_is_away(sound: pytest.MonkeyPatch) -> None:
    sound.setenv("DATABASE_URL", f"postgresql://fleet:hush-database@{NOBODY}/platform")
    fault = the_only_fault()
    assert (fault.about, fault.state) == ("database", State.AWAY)
    assert "DATABASE_URL" in fault.mend


def test_a_broker_that_is_away(sound: pytest.MonkeyPatch) -> None:
    sound.setenv("REDIS_URL", f"redis://:hush-broker@{NOBODY}/0")
    found = unsound()
    assert [(each.about, each.state) for each in found] == [("broker", State.AWAY), ("limits", State.AWAY)]
    assert all("REDIS_URL" in each.mend for each in found)


@dataclass(frozen=True)
class InTheDatabase:
    """A fault, the way back, and what is to be said of it."""

    do: str
    undo: str
    about: str
    state: str
    told: str
    mend: str


IN_THE_DATABASE = {
    "behind by a revision": InTheDatabase(
        "update fleet.schema_version set version_num = '0006_schedule'",
        "update fleet.schema_version set version_num = '0007_reminders'",
        *("schema", "fault", "run revision 0007_reminders", "fleet db upgrade"),
    ),
    "a right is missing": InTheDatabase(
        "revoke insert on public.events from {role}",
        "grant insert on public.events to {role}",
        *("rights", "fault", "INSERT on public.events", "fleet db role {role}"),
    ),
    "rows are hidden": InTheDatabase(
        'alter policy "fleet_read_{role}" on public.orders rename to lost',
        'alter policy lost on public.orders rename to "fleet_read_{role}"',
        *("rights", "fault", "policy fleet_read_{role} on public.orders", "fleet db role {role}"),
    ),
    "a trigger is gone": InTheDatabase(
        "alter trigger fleet_enqueue_event on public.events rename to gone",
        "alter trigger gone on public.events rename to fleet_enqueue_event",
        *("drift", "fault", "fleet_enqueue_event", "fleet db upgrade"),
    ),
    "a hole": InTheDatabase(
        "alter table public.agents disable row level security",
        "alter table public.agents enable row level security",
        *("hole", "advice", "table agents", "fleet db harden"),
    ),
    "beat is silent": InTheDatabase(
        "update fleet.schedule set since = now() - interval '2 minutes' where name = 'wake-queues'",
        "delete from fleet.schedule",
        *("schedule", "fault", "wake-queues is overdue", "fleet beat"),
    ),
    "no tick has ever come": InTheDatabase(
        "delete from fleet.schedule",
        "delete from fleet.schedule",
        *("schedule", "fault", "no tick", "fleet beat"),
    ),
}


@pytest.mark.usefixtures("sound")
@pytest.mark.parametrize("fault", IN_THE_DATABASE.values(), ids=list(IN_THE_DATABASE))
def test_a_fault_in_the_database(database: Database, fault: InTheDatabase) -> None:
    role = database.server.role
    with planted(database, fault.do.format(role=role), fault.undo.format(role=role)):
        found = unsound()
    first = found[0]
    assert (first.about, first.state.value) == (fault.about, fault.state)
    assert fault.told.format(role=role) in first.told
    assert fault.mend.format(role=role) in first.mend
    assert {each.about for each in found[1:]} <= {fault.about, "schedule"}


def test_a_database_that_the_fleet_was_never_put_on(sound: pytest.MonkeyPatch, blank: Database) -> None:
    sound.setenv("DATABASE_URL", blank.owner_url)
    found = unsound()
    assert (found[0].about, "fleet db upgrade" in found[0].mend) == ("schema", True)


def test_the_owner_is_advised_to_make_a_role(sound: pytest.MonkeyPatch, database: Database) -> None:
    sound.setenv("DATABASE_URL", database.owner_url)
    advice = the_only_fault()
    assert (advice.about, advice.state, "fleet db role" in advice.mend) == ("rights", State.ADVICE, True)


def test_a_transaction_pooler(sound: pytest.MonkeyPatch, database: Database, run_folder: Path) -> None:
    with pooler(run_folder / "doctor", "transaction", database.url) as (url,):
        sound.setenv("DATABASE_URL", url)
        advice = the_only_fault()
    assert (advice.about, advice.state) == ("pooler", State.ADVICE)
    assert "fleet relay" in advice.mend


@pytest.mark.parametrize(
    ("name", "provider", "value"),
    [
        ("SENDGRID_API_KEY", "SendGrid", "SG.hush-another"),
        ("TWILIO_AUTH_TOKEN", "Twilio", "hush-another"),
        ("STRIPE_SECRET_KEY", "Stripe", "sk_test_hush_another"),
    ],
)
def test_a_key_that_is_refused(sound: pytest.MonkeyPatch, name: str, provider: str, value: str) -> None:
    sound.setenv(name, value)
    fault = the_only_fault()
    assert (fault.about, fault.state, "http_401" in fault.told) == (provider, State.FAULT, True)
    assert name in fault.mend


@pytest.mark.parametrize(
    ("name", "provider", "body", "state", "told"),
    [
        ("SENDGRID_BASE_URL", "SendGrid", {"scopes": ["stats.read"]}, "fault", "mail.send"),
        ("SENDGRID_BASE_URL", "SendGrid", {"scopes": ["mail.send"]}, "advice", "erasejob"),
        ("TWILIO_BASE_URL", "Twilio", {"status": "suspended", "type": "Full"}, "fault", "suspended"),
        ("TWILIO_BASE_URL", "Twilio", {"status": "active", "type": "Trial"}, "advice", "trial"),
        ("TWILIO_BASE_URL", "Twilio", [], "fault", "unreadable_answer"),
    ],
    ids=["scope", "erasure", "suspended", "trial", "unreadable"],
)
def test_a_key_that_may_not_do_all(
    sound: pytest.MonkeyPatch, name: str, provider: str, body: object, state: str, told: str
) -> None:
    with StubServer(Reply(404)) as stub:
        stub.script.append(Reply(200, body=json.dumps(body).encode()))
        sound.setenv(name, stub.url)
        (fault,) = outside(OutsideDoctor.keys)
    assert (fault.about, fault.state.value, told in fault.told) == (provider, state, True)


def test_a_provider_that_is_away(sound: pytest.MonkeyPatch) -> None:
    sound.setenv("STRIPE_BASE_URL", f"http://{NOBODY}")
    (fault,) = outside(OutsideDoctor.keys)
    assert (fault.about, "connect_error" in fault.told, "status page" in fault.mend) == ("Stripe", True, True)


def test_a_public_address_that_nobody_answers_at(sound: pytest.MonkeyPatch) -> None:
    sound.setenv("PUBLIC_URL", f"http://{NOBODY}")
    (fault,) = outside(OutsideDoctor.public_address)
    assert (fault.about, "not reached" in fault.told, "fleet ingress" in fault.mend) == (
        "PUBLIC_URL",
        True,
        True,
    )


def test_a_public_address_where_somebody_else_answers(
    sound: pytest.MonkeyPatch, sandbox: SandboxClient
) -> None:
    sound.setenv("PUBLIC_URL", sandbox.base_url)
    (fault,) = outside(OutsideDoctor.public_address)
    assert (fault.about, "somebody else" in fault.told, "proxy" in fault.mend) == ("PUBLIC_URL", True, True)


def test_a_proxy_that_passes_the_webhooks_alone(sound: pytest.MonkeyPatch) -> None:
    with StubServer(Reply(404)) as stub:
        stub.script += [Reply(404), Reply(405, {"Allow": "POST"})]
        sound.setenv("PUBLIC_URL", stub.url)
        assert outside(OutsideDoctor.public_address) == []


@pytest.mark.usefixtures("sound")
@pytest.mark.parametrize(("minutes", "word"), [(10, "ahead of"), (-10, "behind")])
def test_a_clock_that_is_wrong(minutes: int, word: str) -> None:
    found = [each for each in unsound(ahead=timedelta(minutes=minutes)) if each.about != "schedule"]
    assert [each.about for each in found] == [
        f"clock of {whose}" for whose in ("the database", "SendGrid", "Twilio", "Stripe")
    ]
    assert all(word in each.told and "NTP" in each.mend for each in found)


def test_one_that_fails_unforeseen_ends_no_other() -> None:
    def broken() -> list[Diagnosis]:
        raise LookupError("Camille")

    found = list(examine([("tea", broken), ("coffee", list), ("milk", broken)]))
    assert [(each.about, each.state, each.told) for each in found] == [
        (about, State.FAULT, "it could not be looked at: LookupError") for about in ("tea", "milk")
    ]
