"""Where every vendor's answers go out: in time, or late, lost and garbled where a fault says so."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.dev.sandbox.exchange import Answer, Exchange
    from workers.dev.sandbox.state import Sandbox
    from workers.dev.sandbox.wire import Fault

_GARBAGE = b"\x16\x03\x01 this is no HTTP \xff\xfe\r\n\r\n"


class Manners(Protocol):
    """How a vendor words what the sandbox's faults make it say."""

    cut_answer: bytes
    """An acceptance, broken off before it has said the message's id."""

    def refusal(self, status: int, retry_after: int | None) -> Answer:
        """An error of this status; ``retry_after`` in seconds goes into its headers."""


class Desk:
    """Answers the good requests to one vendor's API.

    What a request asks for is done once the request was read in full and found good; the latency and most
    faults come between that and the answer, so a client that dies while it waits has sent its message.

    Args:
        sandbox: Says how long an answer takes; counts.
        manners: The vendor's words.
    """

    def __init__(self, sandbox: Sandbox, manners: Manners) -> None:
        self._sandbox = sandbox
        self._manners = manners

    async def serve(self, exchange: Exchange, fault: Fault | None, act: Callable[[], Answer]) -> None:
        """Do what a good request asks for and answer, unless the fault prevents one of the two.

        Args:
            exchange: The request.
            fault: What it meets, if anything.
            act: Does what it asks for, and returns the vendor's answer.
        """
        if fault is None:
            await self._comply(exchange, act, self._sandbox.controls.latency)
            return
        self._sandbox.tally.faults[fault.kind] += 1
        match fault.kind:
            case "slow":
                seconds = fault.seconds or 0.0
                if fault.when == "after":
                    await self._comply(exchange, act, seconds)
                elif not await exchange.hangs_up_within(seconds):
                    await self._comply(exchange, act, 0.0)
            case "status":
                await self.refuse(exchange, self._manners.refusal(fault.status or 500, fault.retry_after))
            case "drop_before":
                await exchange.hang_up()
            case "drop_after" | "truncate" | "garbage":
                act()
                last_words = {"truncate": self._manners.cut_answer, "garbage": _GARBAGE}
                await exchange.hang_up(last_words.get(fault.kind, b""))

    async def refuse(self, exchange: Exchange, answer: Answer) -> None:
        """Answer with an error, counted as one."""
        self._sandbox.tally.refused[str(answer.status)] += 1
        await asyncio.sleep(self._sandbox.controls.latency)
        await exchange.answer(answer)

    async def _comply(self, exchange: Exchange, act: Callable[[], Answer], seconds: float) -> None:
        answer = act()
        await asyncio.sleep(seconds)
        await exchange.answer(answer)
