"""The sandbox as a process of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys

from workers.dev.sandbox.client import SandboxClient

PROGRAM = """
import sys
from workers.dev.sandbox.server import serve
from workers.dev.sandbox.state import SandboxSettings
serve("127.0.0.1", int(sys.argv[1]), SandboxSettings(api_key="SG.made-up", latency=0.01))
"""


def test_the_server_serves_until_it_is_interrupted() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(port)]) as process:
        try:
            with SandboxClient(f"http://127.0.0.1:{port}") as client:
                client.wait_until_ready(20)
                settings = client.settings()
            assert (settings.api_key, settings.latency) == ("SG.made-up", 0.01)
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
