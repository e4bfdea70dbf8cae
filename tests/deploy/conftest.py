"""The services of the compose file, on this run's servers."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
import redis
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from dotenv import dotenv_values

from tests.deploy.composed import ROOT, Composed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workers.dev.embedded.redis import EmbeddedRedis

# A database of the broker's own, for other tests use the first one.
_BROKER_DATABASE = 9

_KEY = (
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)

FILLED_IN = {
    "POSTGRES_PASSWORD": "madeup",
    "SENDGRID_API_KEY": "SG.sandbox",
    "SENDGRID_WEBHOOK_PUBLIC_KEY": base64.b64encode(_KEY).decode(),
    "SENDGRID_BASE_URL": "http://sandbox:8025",
    "TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000000",
    "TWILIO_AUTH_TOKEN": "madeup",
    "TWILIO_SMS_PHONE": "+33639980001",
    "TWILIO_WHATSAPP_PHONE": "+33639980002",
    "STRIPE_SECRET_KEY": "sk_test_madeup",
    "STRIPE_WEBHOOK_SECRET": "whsec_madeup",
    "EMAIL_FROM": "Partners VRAI <bonjour@example.com>",
    "APP_URL": "https://app.example.com",
    "PUBLIC_URL": "https://fleet.example.com",
    "FLEET_FLOWER_PASSWORD": "madeup",
}
"""A .env as an operator would fill it in, for the compose file's own servers."""


@pytest.fixture
def broker(redis_server: EmbeddedRedis) -> Iterator[redis.Redis]:
    url = redis_server.url.removesuffix("/0") + f"/{_BROKER_DATABASE}"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield client


@pytest.fixture
def composed(
    database_url: str, redis_server: EmbeddedRedis, broker: redis.Redis, tmp_path: Path
) -> Iterator[Composed]:
    del broker
    broker_url = redis_server.url.removesuffix("/0") + f"/{_BROKER_DATABASE}"
    example = {name: value or "" for name, value in dotenv_values(ROOT / ".env.example").items()}
    composed = Composed(
        example | FILLED_IN, {"DATABASE_URL": database_url, "REDIS_URL": broker_url}, tmp_path
    )
    yield composed
    composed.stop()
