"""What one e-mail costs over each way of sending it, and which ways send it twice when the line drops."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.benchmarks.senders import CANDIDATES, Adapter, AsItIs, OneShotBodies, SharedPool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.senders import Sender

SIDE_BY_SIDE = 64
PROVIDER_SECONDS = 0.05

# The SDK leaves its sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@dataclass(frozen=True)
class Result:
    per_second: float
    cpu_ms: float
    lines: int


@contextmanager
def provider(seconds: float, certificate: Path | None = None) -> Iterator[str]:
    program = [sys.executable, str(Path(__file__).with_name("stub_provider.py")), str(seconds)]
    with subprocess.Popen(
        [*program, *([str(certificate)] if certificate else [])], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http{'s' if certificate else ''}://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def told(base: str) -> dict[str, int]:
    context = ssl.create_default_context() if base.startswith("https") else None
    with urllib.request.urlopen(base, context=context) as answer:  # noqa: S310 - our own stub
        counts: dict[str, int] = json.load(answer)
        return counts


def measure(base: str, make: type[Sender], emails: int, rounds: int) -> Result:
    """The round that took the least CPU: the others were disturbed."""
    told(base)
    results = []
    with closing(make(base, SIDE_BY_SIDE)) as sender:
        sender.send(SIDE_BY_SIDE)
        for _ in range(rounds):
            wall, cpu = time.perf_counter(), time.process_time()
            sender.send(emails)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            results.append((cpu * 1000 / emails, emails / wall))
    counts = told(base)
    assert counts["received"] == SIDE_BY_SIDE + rounds * emails
    cpu_ms, per_second = min(results)
    return Result(per_second, cpu_ms, counts["opened"])


def report(title: str, results: dict[str, Result]) -> None:
    first = next(iter(results.values()))
    rows = [f"{title}; {SIDE_BY_SIDE} side by side, answered after {PROVIDER_SECONDS * 1000:.0f} ms"]
    rows.append(f"{'':40} {'e-mails/s':>10} {'ratio':>6} {'CPU ms':>8} {'ratio':>6} {'lines opened':>13}")
    rows.extend(
        f"{label:40} {one.per_second:10.0f} {one.per_second / first.per_second:6.2f} "
        f"{one.cpu_ms:8.3f} {one.cpu_ms / first.cpu_ms:6.2f} {one.lines:13}"
        for label, one in results.items()
    )
    sys.stdout.write("\n\n" + "\n".join(rows) + "\n")


def test_cost_of_an_email() -> None:
    emails, rounds = 800, 2
    with provider(PROVIDER_SECONDS) as base:
        results = {make.label: measure(base, make, emails, rounds) for make in CANDIDATES}
    size = len(AsItIs.body()) / 1000
    report(f"{rounds} times {emails} e-mails of {size:.1f} kB over HTTP", results)


def test_cost_of_an_email_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = tmp_path / "provider.pem"
    certificate.write_bytes(self_signed())
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    emails, rounds = 200, 1
    with provider(PROVIDER_SECONDS, certificate) as base:
        results = {make.label: measure(base, make, emails, rounds) for make in (AsItIs, SharedPool, Adapter)}
    report(f"{emails} e-mails over TLS, one authority trusted", results)


def test_sent_twice_when_a_kept_line_drops() -> None:
    """The second e-mail is read whole by the provider, which then drops the line without a word."""
    rows = []
    everyone: tuple[type[Sender], ...] = (*CANDIDATES, OneShotBodies)
    for make in everyone:
        with provider(0) as base, closing(make(f"{base}/drop", 1)) as sender:
            sender.send(1)
            told(base)
            try:
                sender.send(1)
            except Exception as error:  # noqa: BLE001 - each library has its own
                outcome = f"{type(error).__name__}"
            else:
                outcome = "reports success"
            rows.append(f"{make.label:46} received {told(base)['received']} times, {outcome}")
    sys.stdout.write("\n\nOne e-mail over a kept line that drops:\n" + "\n".join(rows) + "\n")


def self_signed() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = builder.add_extension(names, critical=False).sign(key, SHA256())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + signed.public_bytes(
        Encoding.PEM
    )
