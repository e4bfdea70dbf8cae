"""The services of the compose file, on this run's servers."""

from __future__ import annotations

import base64
import subprocess
from typing import TYPE_CHECKING

import pytest
import redis
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from dotenv import dotenv_values
from sqlalchemy.orm import Session

from db.engine import make_engine
from db.seed import seed
from tests.databases import new_database
from tests.deploy.composed import ROOT, Composed, starting_order
from workers.dev.sandbox.client import SandboxClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.databases import Database, Server
    from workers.dev.embedded.redis import EmbeddedRedis

# A database of the broker's own, for other tests use the first one.
_BROKER_DATABASE = 9

_KEY = (
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)

FILLED_IN = {
    "SENDGRID_API_KEY": "SG.sandbox",
    "SENDGRID_WEBHOOK_PUBLIC_KEY": base64.b64encode(_KEY).decode(),
    "TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000000",
    "TWILIO_AUTH_TOKEN": "madeup",
    "TWILIO_SMS_PHONE": "+33639980001",
    "TWILIO_WHATSAPP_PHONE": "+33639980002",
    "STRIPE_SECRET_KEY": "sk_test_madeup",
    "STRIPE_WEBHOOK_SECRET": "whsec_madeup",
    "EMAIL_FROM": "Partners VRAI <bonjour@example.com>",
    "APP_URL": "https://app.example.com",
    "PUBLIC_URL": "https://fleet.example.com",
}
"""What an operator fills in, whatever the servers are."""

ROLE = "fleet_worker"
"""As the compose file and the secrets name it."""


@pytest.fixture(scope="module")
def bare(_server: Server) -> Iterator[Database]:
    """A database with nothing in it, of this module's own."""
    with new_database(_server) as database:
        yield database


@pytest.fixture(scope="module")
def broker(redis_server: EmbeddedRedis) -> Iterator[redis.Redis]:
    url = redis_server.url.removesuffix("/0") + f"/{_BROKER_DATABASE}"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield client


@pytest.fixture(scope="module")
def composed(
    bare: Database, redis_server: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Composed]:
    """The compose file with the sandbox's .env and the secrets that the script makes, nothing started."""
    folder = tmp_path_factory.mktemp("composed")
    secrets = folder / "secrets"
    subprocess.run(["sh", ROOT / "docs/deploy/secrets.sh", secrets], check=True, capture_output=True)  # noqa: S607 - as an operator does
    for name, value in {
        "OWNER_DATABASE_URL": bare.owner_url,
        "DATABASE_URL": bare.url,
        "ROLE_PASSWORD": bare.server.password,
        "REDIS_URL": redis_server.url.removesuffix("/0") + f"/{_BROKER_DATABASE}",
    }.items():
        (secrets / name).write_text(value, "utf-8")
    given = {name: value or "" for name, value in dotenv_values(ROOT / "docs/deploy/sandbox.env").items()}
    composed = Composed(given, secrets, folder, {ROLE: bare.server.role})
    yield composed
    composed.stop()


@pytest.fixture(scope="module")
def running(composed: Composed, bare: Database, broker: redis.Redis) -> Composed:
    """The same, all of it started."""
    del broker
    for name in starting_order():
        service = composed.start(name)
        if service.declared["restart"] == "no":
            service.done()
    with SandboxClient(composed.url("sandbox")) as client:
        client.wait_until_ready()
    _seed(bare.owner_url)
    return composed


def _seed(owner_url: str) -> None:
    """What ``fleet db seed`` does."""
    engine = make_engine(owner_url, pool_size=1)
    with Session(engine) as session, session.begin():
        seed(session)
    engine.dispose()
