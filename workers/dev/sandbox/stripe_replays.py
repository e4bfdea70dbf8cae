"""Stripe's idempotency keys: a request that comes again is answered as it was, and not done again.

Source: Stripe's "Idempotent requests".
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import parse_qsl

from workers.dev.sandbox.exchange import Answer, Refusal
from workers.dev.sandbox.stripe_errors import error_answer

_LONGEST_KEY = 255
_RENEWED: Final = b"request-id"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a key stands for."""

    path: str
    parameters: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, path: str, body: bytes) -> Asked:
        """A request, whatever the order of its parameters."""
        pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True)
        return cls(path, tuple(sorted(pairs)))


class Replays:
    """The answers by key; beyond the capacity the oldest goes.

    Args:
        capacity: How many are kept.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._answers: OrderedDict[str, tuple[Asked, Answer]] = OrderedDict()

    def find(self, key: str, asked: Asked) -> Answer | None:
        """The answer to the same request before, as Stripe repeats it; None to a new one.

        Raises:
            Refusal: The key was used for another request, or is too long.
        """
        if len(key) > _LONGEST_KEY:
            raise _refusal(f"Idempotency keys can be up to {_LONGEST_KEY} characters long.")
        if key not in self._answers:
            return None
        before, answer = self._answers[key]
        if before != asked:
            raise _refusal(
                "Keys for idempotent requests can only be used with the same parameters they were first used "
                f"with. Try using a key other than '{key}' if you meant to execute a different request."
            )
        original = dict(answer.headers)[_RENEWED]
        headers = [*answer.headers, (b"idempotent-replayed", b"true"), (b"original-request", original)]
        return replace(answer, headers=headers)

    def keep(self, key: str, asked: Asked, answer: Answer) -> None:
        """Answer like this when the request comes again; the first answer to a key stays."""
        self._answers.setdefault(key, (asked, answer))
        if len(self._answers) > self._capacity:
            self._answers.popitem(last=False)

    def clear(self) -> None:
        """Forget all answers."""
        self._answers.clear()


def _refusal(message: str) -> Refusal:
    answer = error_answer(message, kind="idempotency_error")
    return Refusal(answer.status, answer.body, headers=answer.headers[1:])
