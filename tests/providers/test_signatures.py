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
from twilio.request_validator import RequestValidator

from providers.signatures import BadSignature
from providers.signatures_sendgrid import SendGridSignatures
from providers.signatures_twilio import TwilioSignatures

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
    "signature",
    ["", "=", "né", "not base64!", signed()[:-3], signed() + "\n", "AAAA", "MAA="],
    ids=["empty", "padding", "not ascii", "not base64", "cut", "line end", "not DER", "empty DER"],
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


AUTH_TOKEN = "made-up"
TWILIO = TwilioSignatures(AUTH_TOKEN)
STATUS_URL = "https://fleet.example.com/webhooks/twilio/status?attempt=0d4f1a52-7a5f-4b0e-9d0a-3f6a55b4f001"
FORM = [("MessageStatus", "delivered"), ("MessageSid", "SM1"), ("ErrorMessage", ""), ("Body", "été & co")]


def by_the_sdk(url: str, form: list[tuple[str, str]], token: str = AUTH_TOKEN) -> str:
    signature: str = RequestValidator(token).compute_signature(url, dict(form))
    return signature


def test_a_form_as_the_sdk_signs_it() -> None:
    TWILIO.verify(STATUS_URL, FORM, by_the_sdk(STATUS_URL, FORM))


def test_the_documentations_example() -> None:
    form = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675309"),
        ("Digits", "1234"),
        ("From", "+14158675309"),
        ("To", "+18005551212"),
    ]
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    TwilioSignatures("12345").verify(url, form, "RSOYDt4T1cUTdK1PDd93/VVr8B8=")


@pytest.mark.parametrize("signed_as", ["https://fleet.example.com:443/x", "https://fleet.example.com/x"])
@pytest.mark.parametrize("seen_as", ["https://fleet.example.com:443/x", "https://fleet.example.com/x"])
def test_the_port_may_be_told_or_not(signed_as: str, seen_as: str) -> None:
    TWILIO.verify(seen_as, FORM, by_the_sdk(signed_as, FORM))


@settings(deadline=None)
@given(st.dictionaries(st.text(), st.text()))
def test_any_form_as_the_sdk_signs_it(form: dict[str, str]) -> None:
    signature = by_the_sdk(STATUS_URL, list(form.items()))
    TWILIO.verify(STATUS_URL, reversed(form.items()), signature)
    assert RequestValidator(AUTH_TOKEN).validate(STATUS_URL, form, signature)


@pytest.mark.parametrize(
    ("url", "form", "signature"),
    [
        (STATUS_URL, FORM, ""),
        (STATUS_URL, FORM, "été"),
        (STATUS_URL, FORM, by_the_sdk(STATUS_URL, FORM, "another")),
        (STATUS_URL, FORM, by_the_sdk(STATUS_URL, FORM)[:-1]),
        (STATUS_URL, FORM[1:], by_the_sdk(STATUS_URL, FORM)),
        (STATUS_URL, [*FORM, ("More", "1")], by_the_sdk(STATUS_URL, FORM)),
        (STATUS_URL, [("MessageStatus", "failed"), *FORM[1:]], by_the_sdk(STATUS_URL, FORM)),
        (f"{STATUS_URL}&more=1", FORM, by_the_sdk(STATUS_URL, FORM)),
        (STATUS_URL.replace("https", "http"), FORM, by_the_sdk(STATUS_URL, FORM)),
        (STATUS_URL.replace("fleet", "10.0.0.7"), FORM, by_the_sdk(STATUS_URL, FORM)),
    ],
    ids=[
        "none",
        "not ASCII",
        "other token",
        "cut",
        "fewer",
        "more",
        "other value",
        "other query",
        "other scheme",
        "other host",
    ],
)
def test_a_form_that_twilio_did_not_sign(url: str, form: list[tuple[str, str]], signature: str) -> None:
    with pytest.raises(BadSignature, match="does not match"):
        TWILIO.verify(url, form, signature)


@pytest.mark.parametrize("auth_token", ["", "made up", "clé"])
def test_malformed_auth_tokens(auth_token: str) -> None:
    with pytest.raises(ValueError, match="Twilio auth token"):
        TwilioSignatures(auth_token)
