"""A light e-mail provider in a process of its own, so that its work is not on the senders' bill.

Run as a program: ``stub_provider.py SECONDS [CERTIFICATE_AND_KEY]``; prints its port. ``POST`` is answered
202 after so many seconds; but on a line used before, if its path holds ``drop``, the request is read whole
and the line closed. ``GET`` tells the lines opened and the requests read since the last ``GET``.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nX-Message-Id: made-up\r\nContent-Length: 0\r\n\r\n"
LENGTH = b"content-length:"


class Provider(asyncio.Protocol):
    """One line."""

    opened = 0
    received = 0

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.buffer = b""
        self.served = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        Provider.opened += 1

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, rest = self.buffer.split(b"\r\n\r\n", 1)
            lines = head.lower().split(b"\r\n")
            length = next((int(line[len(LENGTH) :]) for line in lines if line.startswith(LENGTH)), 0)
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            self.answer(lines[0])

    def answer(self, request: bytes) -> None:
        if request.startswith(b"get"):
            told = json.dumps({"opened": Provider.opened - 1, "received": Provider.received}).encode()
            Provider.opened = Provider.received = 0
            self.transport.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + told)
            self.transport.close()
            return
        Provider.received += 1
        self.served += 1
        if b"drop" in request and self.served > 1:
            self.transport.close()
            return
        asyncio.get_running_loop().call_later(self.delay, self.transport.write, ACCEPTED)


async def main(delay: float, certificate: str | None) -> None:
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Provider(delay), "127.0.0.1", 0, backlog=512, ssl=context)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None))
