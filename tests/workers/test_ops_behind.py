"""What is found behind the backs of those who ask: they wait for nobody, and hear what was last known."""

from __future__ import annotations

import time
from threading import Event
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from tests.waiting import wait_for
from workers.ops.behind import PATIENCE_SECONDS, Behind

if TYPE_CHECKING:
    from collections.abc import Callable


class Slow:
    """Finds as soon as it may, the numbers from 1 on."""

    def __init__(self) -> None:
        self.may = Event()
        self.asked = 0

    def __call__(self) -> int:
        self.asked += 1
        assert self.may.wait(20)
        return self.asked


def known(behind: Behind[int]) -> int:
    found = behind.get()
    return found.value if found else 0


def after(seconds: float, work: Callable[[], object]) -> bool:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun >= seconds


def test_nobody_waits_for_long_and_one_alone_looks() -> None:
    slow = Slow()
    behind = Behind(slow, 0.0)
    assert [known(behind) for _ in range(3)] == [0, 0, 0]
    assert not after(20 * PATIENCE_SECONDS, behind.get)
    assert slow.asked == 1
    slow.may.set()
    assert wait_for(lambda: known(behind)) >= 1


def test_what_is_quick_is_had_at_once_and_kept() -> None:
    slow = Slow()
    slow.may.set()
    behind = Behind(slow, 60.0)
    assert [known(behind) for _ in range(3)] == [1, 1, 1]
    assert slow.asked == 1


def test_an_error_leaves_what_was_known_and_is_got_over() -> None:
    answers: list[int | Exception] = [1, SQLAlchemyError("away"), 3]

    def find() -> int:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    behind = Behind(find, 0.0)
    heard = [known(behind)]

    def listen() -> bool:
        heard.append(known(behind))
        return heard[-1] == 3

    wait_for(listen)
    assert sorted(set(heard)) == [1, 3]
