from __future__ import annotations

import pytest
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.signatures import BadSignature
from providers.signatures_stripe import StripeSignatures

SECRET = "whsec_made_up"
OTHER = "whsec_made_up_before"
NOW = 1_795_000_000
BODY = '{"id": "evt_1", "data": {"object": {"name": "été"}}}\r\n'.encode()


def header(body: bytes = BODY, secret: str = SECRET, at: int = NOW) -> str:
    """Sign as Stripe does, by its SDK."""
    signed: str = stripe.WebhookSignature.generate_signature_header(body.decode(), secret, at)
    return signed


def v1(of: str) -> str:
    return of.partition(",")[2]


SIGNATURES = StripeSignatures([SECRET], now=lambda: NOW)
ROTATED = StripeSignatures([SECRET, OTHER], now=lambda: NOW)


def test_a_true_one() -> None:
    SIGNATURES.verify(BODY, header())


@pytest.mark.parametrize("secret", [SECRET, OTHER])
def test_while_the_secret_is_replaced_both_are_true(secret: str) -> None:
    ROTATED.verify(BODY, header(secret=secret))


@pytest.mark.parametrize(
    "signed",
    [
        f"{header()},v0=made-up",
        f"{header(secret=OTHER)},{v1(header())}",
        f"{header()},{v1(header(secret=OTHER))}",
        f"{v1(header())},t={NOW}",
    ],
    ids=["another scheme", "the second", "the first", "the time last"],
)
def test_one_true_signature_of_several_is_enough(signed: str) -> None:
    SIGNATURES.verify(BODY, signed)


@pytest.mark.parametrize(
    ("body", "signed"),
    [
        (BODY, header(secret=OTHER)),
        (BODY[:-1], header()),
        (BODY + b" ", header()),
        (BODY.replace(b"\r\n", b"\n"), header()),
        (b"", header()),
        (BODY, header()[:-1]),
        (BODY, header(at=NOW + 1).replace(str(NOW + 1), str(NOW))),
        (BODY, f"t={NOW},v1="),
        (BODY, f"t={NOW},v1"),
    ],
    ids=["secret", "cut", "longer", "line ends", "empty", "cut signature", "other time", "no value", "bare"],
)
def test_one_that_does_not_match(body: bytes, signed: str) -> None:
    with pytest.raises(BadSignature, match="does not match"):
        ROTATED.verify(body, signed.replace(v1(header(secret=OTHER)), "v1=00"))


@pytest.mark.parametrize("seconds", [-300, 300])
def test_within_the_tolerance(seconds: int) -> None:
    SIGNATURES.verify(BODY, header(at=NOW + seconds))


@pytest.mark.parametrize(("seconds", "word"), [(301, "301 s ahead"), (-301, "301 s old"), (-NOW, "old")])
def test_outside_the_tolerance(seconds: int, word: str) -> None:
    with pytest.raises(BadSignature, match=word):
        SIGNATURES.verify(BODY, header(at=NOW + seconds))


def test_a_time_is_believed_only_once_it_is_signed() -> None:
    with pytest.raises(BadSignature, match="does not match"):
        SIGNATURES.verify(BODY, header(secret=OTHER, at=NOW - 10_000))


def test_of_two_times_the_signed_one_counts() -> None:
    old = header(at=NOW - 10_000)
    with pytest.raises(BadSignature, match="old"):
        SIGNATURES.verify(BODY, f"{old},t={NOW}")
    with pytest.raises(BadSignature, match="does not match"):
        SIGNATURES.verify(BODY, f"t={NOW},{old}")


@pytest.mark.parametrize(
    "signed",
    [
        "",
        "made up",
        v1(header()),
        header().replace("t=", "t= "),
        header().replace("t=", "t=-"),
        header().replace("t=", "T="),
        f"t=soon,{v1(header())}",
        f"t={'9' * 5000},{v1(header())}",
        f"t=١٢٣,{v1(header())}",
        f"t,{v1(header())}",
        f"{header()}é",
        "=,=,=",
        "," * 100,
    ],
)
def test_garbage(signed: str) -> None:
    with pytest.raises(BadSignature, match="header is not of the form"):
        SIGNATURES.verify(BODY, signed)


def test_no_scheme_that_we_know() -> None:
    with pytest.raises(BadSignature, match="header has no v1 signature"):
        SIGNATURES.verify(BODY, header().replace("v1=", "v2="))


def test_a_body_that_is_no_text() -> None:
    with pytest.raises(BadSignature, match="body is not UTF-8"):
        SIGNATURES.verify(b"\xff" + BODY, header())


@settings(deadline=None)
@given(st.binary(), st.text() | st.text().map(lambda value: f"t={NOW},v1={value}"))
def test_nothing_else_is_ever_raised(body: bytes, signed: str) -> None:
    with pytest.raises(BadSignature) as caught:
        ROTATED.verify(body, signed)
    assert not (caught.value.__cause__ or caught.value.__context__) or caught.value.__suppress_context__


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "made up", "sk_test_made_up", "whsec_é", "whsec_a b", "whsec_\n"]
)
def test_what_cannot_be_a_secret(secret: str) -> None:
    with pytest.raises(ValueError, match="Stripe webhook secret"):
        StripeSignatures([SECRET, secret])


def test_no_secret_at_all() -> None:
    with pytest.raises(ValueError, match="no Stripe webhook secret"):
        StripeSignatures([])
