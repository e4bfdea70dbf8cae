"""Stripe's answers: each has an id, and an error says what kind it is, of which parameter, and why.

Source: Stripe's "Errors" and "Error codes".
"""

from __future__ import annotations

import json
from typing import Any

from workers.dev.sandbox.exchange import JSON, Answer, Headers, Refusal
from workers.dev.sandbox.stripe_objects import new_id
from workers.dev.sandbox.stripe_views import VERSION


def reply(content: dict[str, Any], status: int = 200, headers: Headers | None = None) -> Answer:
    """An answer of Stripe's API."""
    own = [
        JSON,
        (b"request-id", new_id("req", 14).encode()),
        (b"stripe-version", VERSION.encode()),
        *(headers or ()),
    ]
    return Answer(status, json.dumps(content).encode(), own)


def error_answer(  # noqa: PLR0913  one argument for each field of Stripe's error
    message: str,
    *,
    status: int = 400,
    code: str | None = None,
    param: str | None = None,
    kind: str = "invalid_request_error",
    headers: Headers | None = None,
) -> Answer:
    """The answer that says an error."""
    error = {"message": message, "type": kind}
    if code is not None:
        error |= {"code": code, "doc_url": f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"}
    if param is not None:
        error["param"] = param
    return reply({"error": error}, status, headers)


def invalid(message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> Refusal:
    """The refusal of a request that asks for what cannot be."""
    answer = error_answer(message, status=status, code=code, param=param)
    return Refusal(answer.status, answer.body, headers=answer.headers[1:])
