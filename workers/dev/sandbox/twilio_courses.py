"""What becomes of a message after it was accepted, state by state, and the telling of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn

from workers.dev.sandbox.store import CallbackState
from workers.dev.sandbox.twilio_callbacks import Overrides, inbound_fields, signed, status_fields
from workers.dev.sandbox.wire import Behaviour

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.dev.sandbox.courier import Courier, Post
    from workers.dev.sandbox.phones import PhoneMessage
    from workers.dev.sandbox.state import Sandbox

_LANES: Final = 8
_COURSES: Final[Mapping[str, tuple[str, ...]]] = {
    "deliver": ("queued", "sent", "delivered"),
    "silent": ("queued", "sent", "delivered"),
    "late": ("queued", "sent", "delivered"),
    "read": ("queued", "sent", "delivered", "read"),
    "stuck": ("queued", "sent"),
}
# What these say never left Twilio; all others come back from the carrier.
_NEVER_LEFT: Final = frozenset({30001, 30002, 30007, 30036})
_EXPIRED: Final = Behaviour(to="*", does="fail", code=30036)


@dataclass(slots=True)
class _Course:
    """A message under way, and the states before it."""

    message: PhoneMessage
    ahead: list[str]
    code: int | None
    told: bool


@dataclass(frozen=True, slots=True)
class _Callback:
    """One thing to tell, as it was when it happened."""

    message: PhoneMessage
    url: str
    fields: Mapping[str, str]


class Courses:
    """Moves messages from state to state, and posts each state to the message's callback address.

    States move whether or not anybody can be told. One message's callbacks are posted in order, as long as
    none fails; a retry comes beside what follows.

    Args:
        sandbox: Its phones are told how far the messages and their callbacks are.
        courier: Carries the callbacks.
        delay: Seconds from one state to the next.
        retry_pause: Seconds before a failed callback is tried again.
    """

    def __init__(self, sandbox: Sandbox, courier: Courier, delay: float, retry_pause: float) -> None:
        self._sandbox = sandbox
        self._courier = courier
        self._delay = delay
        self._retry_pause = retry_pause
        self._lanes: list[asyncio.Queue[_Callback]] = [asyncio.Queue() for _ in range(_LANES)]
        self._tasks: asyncio.TaskGroup | None = None

    def begin(self, message: PhoneMessage, behaviour: Behaviour) -> None:
        """Let an accepted message go its way; one that would wait longer than it may expires."""
        pause = behaviour.seconds if behaviour.does == "late" else None
        if pause is not None and message.validity is not None and pause > message.validity:
            pause, behaviour = message.validity, _EXPIRED
        course = _Course(message, _ahead(behaviour), behaviour.code, bool(message.callback))
        if behaviour.does == "silent":
            course.told = False
        if course.told:
            message.callbacks = CallbackState.WAITING
        self._later(course, pause)

    def hear(self, message: PhoneMessage) -> None:
        """Keep what a phone has written, and tell it."""
        self._sandbox.phones.hear(message)
        if url := self._sandbox.controls.inbound_url:
            message.callbacks = CallbackState.WAITING
            self._tell(_Callback(message, url, inbound_fields(message, self._sandbox.controls.account_sid)))

    async def run(self) -> NoReturn:
        """Post what there is to tell, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for lane in self._lanes:
                tasks.create_task(self._carry(lane))
            await asyncio.Event().wait()
        raise AssertionError("the lanes never end")

    def _later(self, course: _Course, seconds: float | None = None) -> None:
        asyncio.get_running_loop().call_later(self._delay if seconds is None else seconds, self._move, course)

    def _move(self, course: _Course) -> None:
        message = course.message
        if message.status == "canceled":
            return
        now = datetime.now(UTC)
        message.status = course.ahead.pop(0)
        message.updated_at = now
        if message.status != "queued" and message.sent_at is None:
            message.sent_at = now
        if message.status in {"failed", "undelivered"}:
            message.error_code = course.code
        self._sandbox.phones.touched()
        if course.told:
            fields = status_fields(message, self._sandbox.controls.account_sid)
            self._tell(_Callback(message, message.callback, fields))
        if course.ahead:
            self._later(course)

    def _tell(self, callback: _Callback) -> None:
        self._lanes[hash(callback.message.sid) % _LANES].put_nowait(callback)

    async def _carry(self, lane: asyncio.Queue[_Callback]) -> NoReturn:
        assert self._tasks is not None
        while True:
            callback = await lane.get()
            trouble = await self._courier.attempt(partial(self._signed, callback))
            overrides = Overrides.of(callback.url)
            if trouble is None:
                self._mark(callback, CallbackState.DELIVERED)
            elif overrides.retries and trouble in overrides.after:
                self._mark(callback, CallbackState.RETRYING)
                self._tasks.create_task(self._retry(callback, overrides))
            else:
                self._mark(callback, CallbackState.ABANDONED)

    async def _retry(self, callback: _Callback, overrides: Overrides) -> None:
        for _ in range(overrides.retries):
            await asyncio.sleep(self._retry_pause)
            trouble = await self._courier.attempt(partial(self._signed, callback))
            if trouble is None:
                self._mark(callback, CallbackState.DELIVERED)
                return
            if trouble not in overrides.after:
                break
        self._mark(callback, CallbackState.ABANDONED)

    def _mark(self, callback: _Callback, state: CallbackState) -> None:
        callback.message.callbacks = state
        self._sandbox.phones.touched()

    def _signed(self, callback: _Callback) -> Post:
        return signed(callback.url, callback.fields, self._sandbox.controls.auth_token)


def _ahead(behaviour: Behaviour) -> list[str]:
    if behaviour.does != "fail":
        return list(_COURSES.get(behaviour.does, _COURSES["deliver"]))
    return ["queued", "failed"] if behaviour.code in _NEVER_LEFT else ["queued", "sent", "undelivered"]
