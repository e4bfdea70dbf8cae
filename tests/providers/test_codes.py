from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.codes import CodeTable, Kind, Verdict
from providers.errors import ProviderError

TABLES = {name: CodeTable(name) for name in ("sendgrid", "stripe", "twilio")}
TWILIO = TABLES["twilio"]


@pytest.mark.parametrize(
    ("code", "sms", "whatsapp"),
    [
        ("21211", "rejected", "rejected"),
        ("21610", "suppressed", "suppressed"),
        ("21612", "rejected", "undeliverable"),
        ("30001", "transient", "transient"),
        ("30007", "misconfigured", "misconfigured"),
        ("30036", "rejected", "rejected"),
        ("20429", "rate_limited", "rate_limited"),
        ("20500", "ambiguous", "ambiguous"),
    ],
)
def test_a_code_by_channel(code: str, sms: str, whatsapp: str) -> None:
    assert TWILIO.kind(code, "SMS") == (sms, True)
    assert TWILIO.kind(code, "WHATSAPP") == (whatsapp, True)


@pytest.mark.parametrize("code", ["63003", "63013", "63016", "63024", "63032", "63049"])
def test_what_whatsapp_cannot_do_another_channel_may(code: str) -> None:
    assert TWILIO.kind(code, "WHATSAPP") == (Kind.UNDELIVERABLE, True)


def test_an_unseen_code_takes_the_safe_default() -> None:
    assert TWILIO.kind("99999", "SMS") == (Kind.REJECTED, False)
    assert TWILIO.kind("99999", "WHATSAPP") == (Kind.UNDELIVERABLE, False)
    assert TABLES["sendgrid"].kind("552", "EMAIL") == (Kind.REJECTED, False)


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (400, "21610", Verdict(Kind.SUPPRESSED, known=True)),
        (500, "21610", Verdict(Kind.SUPPRESSED, known=True)),
        (401, None, Verdict(Kind.MISCONFIGURED, known=True)),
        (401, "99999", Verdict(Kind.MISCONFIGURED, known=False)),
        (400, "99999", Verdict(Kind.REJECTED, known=False)),
        (400, None, Verdict(Kind.REJECTED, known=False)),
        (202, None, Verdict(Kind.AMBIGUOUS, known=False)),
        (799, None, Verdict(Kind.AMBIGUOUS, known=False)),
    ],
)
def test_the_code_comes_before_the_status(status: int, code: str | None, verdict: Verdict) -> None:
    assert TWILIO.judge(status, code, "SMS") == verdict


@given(
    st.sampled_from(sorted(TABLES)),
    st.integers(100, 999),
    st.none() | st.text() | st.sampled_from(["21610", "63018", "20429", "from"]),
    st.sampled_from(["", "EMAIL", "SMS", "WHATSAPP"]),
    st.none() | st.floats(0, 1e9),
)
def test_everything_has_an_error(
    provider: str, status: int, code: str | None, channel: str, wait: float | None
) -> None:
    table = TABLES[provider]
    error = table.error(table.judge(status, code, channel), code or str(status), "said", wait)
    assert isinstance(error, ProviderError)
    assert 1 <= getattr(error, "retry_after", 1) <= 86_400


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_table_tells_its_age(table: CodeTable) -> None:
    year, _, month = table.version.partition("-")
    assert int(year) >= 2026
    assert 1 <= int(month) <= 12
