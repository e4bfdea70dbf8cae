from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from sendgrid.helpers.eventwebhook import EventWebhook

from providers.signatures import BadSignature, SendGridSignatures

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
BODY = '[{"event": "delivered", "reason": "été"}]\r\n'.encode()
PRIVATE = ec.generate_private_key(ec.SECP256R1())


def shown(key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> str:
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def signed(timestamp: str = STAMP, body: bytes = BODY, key: ec.EllipticCurvePrivateKey = PRIVATE) -> str:
    return base64.b64encode(key.sign(timestamp.encode() + body, ec.ECDSA(SHA256()))).decode()


SIGNATURES = SendGridSignatures(shown(PRIVATE.public_key()), tolerance_seconds=300)


def test_a_true_one_as_the_sdk_sees_it() -> None:
    signature = signed()
    assert EventWebhook(shown(PRIVATE.public_key())).verify_signature(BODY.decode(), signature, STAMP)
    SIGNATURES.verify(BODY, signature, STAMP, NOW)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_within_the_tolerance(seconds: int) -> None:
    SIGNATURES.verify(BODY, signed(), STAMP, NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(("seconds", "word"), [(-301, "ahead"), (301, "old"), (10**9, "old")])
def test_outside_the_tolerance(seconds: int, word: str) -> None:
    with pytest.raises(BadSignature, match=word):
        SIGNATURES.verify(BODY, signed(), STAMP, NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("body", "signature", "timestamp"),
    [
        (BODY + b" ", signed(), STAMP),
        (BODY.replace(b"\r\n", b"\n"), signed(), STAMP),
        (BODY, signed(), str(int(STAMP) + 1)),
        (BODY, signed(key=ec.generate_private_key(ec.SECP256R1())), STAMP),
        (BODY, signed(body=b""), STAMP),
    ],
    ids=["longer body", "other line ends", "other time", "other key", "other body"],
)
def test_anything_changed(body: bytes, signature: str, timestamp: str) -> None:
    with pytest.raises(BadSignature, match="does not match"):
        SIGNATURES.verify(body, signature, timestamp, NOW)


@pytest.mark.parametrize(
    "signature", ["", "=", "né", "not base64!", signed()[:-3], signed() + "\n", "AAAA", "MAA="]
)
def test_malformed_signatures(signature: str) -> None:
    with pytest.raises(BadSignature, match="signature"):
        SIGNATURES.verify(BODY, signature, STAMP, NOW)


@pytest.mark.parametrize(
    "timestamp", ["", "soon", f" {STAMP}", f"{STAMP}\n", "-1", "1e9", "9" * 5000, "١٢٣", "0x10"]
)
def test_malformed_timestamps(timestamp: str) -> None:
    with pytest.raises(BadSignature, match="timestamp"):
        SIGNATURES.verify(BODY, signed(timestamp), timestamp, NOW)


@settings(deadline=None)
@given(st.binary(), st.one_of(st.text(), st.binary().map(lambda raw: base64.b64encode(raw).decode())))
def test_nothing_else_is_ever_raised(body: bytes, signature: str) -> None:
    with pytest.raises(BadSignature):
        SIGNATURES.verify(body, signature, STAMP, NOW)


def test_a_key_folded_over_lines_is_read() -> None:
    key = shown(PRIVATE.public_key())
    SendGridSignatures(f"{key[:64]}\n{key[64:]}\n", 300).verify(BODY, signed(), STAMP, NOW)


@pytest.mark.parametrize(
    "key",
    ["", "made up", "MFkw", "né", shown(ed25519.Ed25519PrivateKey.generate().public_key())],
    ids=["empty", "not base64", "cut", "not ASCII", "another kind"],
)
def test_malformed_keys(key: str) -> None:
    with pytest.raises(ValueError, match="webhook key"):
        SendGridSignatures(key, 300)
