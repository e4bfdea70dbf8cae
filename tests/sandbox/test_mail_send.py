"""Every answer of the mail API, asked for by SendGrid's own SDK where it can."""

from __future__ import annotations

import gzip
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from python_http_client.exceptions import BadRequestsError, PayloadTooLargeError, UnauthorizedError

if TYPE_CHECKING:
    from collections.abc import Callable

    import urllib3
    from sendgrid import SendGridAPIClient
    from sendgrid.helpers.mail import Mail

    from workers.dev.sandbox.client import SandboxClient

    Post = Callable[..., urllib3.BaseHTTPResponse]

HELP = "http://sendgrid.com/docs/API_Reference/Web_API_v3/Mail/errors.html#"


def good() -> dict[str, Any]:
    return {
        "personalizations": [{"to": [{"email": "marie@example.com"}], "custom_args": {"token": "t-1"}}],
        "from": {"email": "no-reply@example.com", "name": "Partners"},
        "subject": "Votre dossier",
        "content": [{"type": "text/plain", "value": "Bonjour"}, {"type": "text/html", "value": "<p>Bonjour"}],
    }


def test_a_good_mail_is_accepted_and_kept(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: Callable[..., Mail]
) -> None:
    answer = sendgrid.send(mail(html="<p>Bonjour Marie</p>", token="t-42"))

    assert answer.status_code == 202
    assert answer.body == b""
    message_id = answer.headers["X-Message-Id"]
    assert re.fullmatch(r"[\w-]{22}", message_id)
    [kept] = sandbox.messages()
    assert kept.id == message_id
    assert kept.recipient == "marie@example.com"
    assert kept.subject == "Votre dossier"
    assert kept.custom_args == {"token": "t-42"}
    assert kept.categories == ["dossier_opened"]
    detail = sandbox.message(message_id)
    assert (detail.sender, detail.html, detail.text) == (
        "no-reply@example.com",
        "<p>Bonjour Marie</p>",
        "Bonjour",
    )


def test_a_wrong_key_is_refused_until_the_key_is_changed(
    sandbox: SandboxClient, sendgrid: SendGridAPIClient, mail: Callable[..., Mail]
) -> None:
    sandbox.set_key("SG.another")
    with pytest.raises(UnauthorizedError) as refusal:
        sendgrid.send(mail())
    message = "The provided authorization grant is invalid, expired, or revoked"
    assert json.loads(refusal.value.body) == {"errors": [{"message": message, "field": None, "help": None}]}
    assert sandbox.messages() == []

    sandbox.set_key("SG.made-up")
    assert sendgrid.send(mail()).status_code == 202


def test_the_sdk_sees_the_error_of_a_bad_address(
    sendgrid: SendGridAPIClient, mail: Callable[..., Mail]
) -> None:
    with pytest.raises(BadRequestsError) as refusal:
        sendgrid.send(mail(to="marie@nowhere"))
    assert json.loads(refusal.value.body) == {
        "errors": [
            {
                "message": "Does not contain a valid address.",
                "field": "personalizations.0.to.0.email",
                "help": f"{HELP}message.personalizations.to",
            }
        ]
    }


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"personalizations": []}, "personalizations", "The personalizations field is required"),
        ({"personalizations": [{}]}, "personalizations.0.to", "The to array is required"),
        ({"personalizations": [{"to": [{}]}]}, "personalizations.0.to.0.email", "The to email parameter"),
        ({"personalizations": [{"to": ["a@example.com"]}]}, "personalizations.0.to.0", "Expected: object"),
        (
            {"personalizations": [{"to": [{"email": "renée@example.com"}]}]},
            "personalizations.0.to.0.email",
            "valid",
        ),
        ({"from": {}}, "from.email", "The from object must be provided"),
        ({"from": {"email": "nobody"}}, "from.email", "The from email does not contain a valid address."),
        ({"from": "a@example.com"}, "from", "Invalid type. Expected: object, given: string."),
        ({"subject": ""}, "subject", "The subject is required."),
        ({"content": []}, "content", "the content parameter is required"),
        ({"content": [{"type": "text/html", "value": ""}]}, "content.0.value", "at least one character"),
        (
            {"content": [{"type": t, "value": "x"} for t in ("text/html", "text/plain")]},
            "content",
            "must be the first",
        ),
        ({"custom_args": {"order": "é" * 5000}}, "personalizations.0.custom_args", "10000 bytes"),
        ({"custom_args": "token"}, "custom_args", "Invalid type. Expected: object, given: string."),
        ({"headers": None}, "headers", "given: null"),
        ({"custom_arguments": {}}, "custom_arguments", "Additional property custom_arguments is not allowed"),
    ],
)
def test_a_bad_request_is_refused_with_the_field_at_fault(
    sandbox: SandboxClient, post: Post, change: dict[str, Any], field: str, words: str
) -> None:
    answer = post(good() | change)
    assert answer.status == 400
    errors = answer.json()["errors"]
    assert all(set(error) == {"message", "field", "help"} for error in errors)
    assert words in next(error["message"] for error in errors if error["field"] == field)
    assert sandbox.messages() == []
    assert sandbox.stats().refused == {"400": 1}


@pytest.mark.parametrize("name", ["from", "subject", "content", "personalizations"])
def test_a_missing_parameter_is_refused(post: Post, name: str) -> None:
    body = good()
    del body[name]
    assert post(body).status == 400


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"", b"[" * 100_000, b"[]", b"7"])
def test_what_is_not_a_json_object_is_refused(post: Post, body: bytes) -> None:
    answer = post(body)
    assert answer.status == 400
    assert answer.json()["errors"][0]["message"]


def test_another_content_type_is_refused(post: Post) -> None:
    assert post(good(), {"Content-Type": "text/plain"}).status == 415
    assert post(good(), {"Content-Type": "application/json; charset=utf-8"}).status == 202


def test_more_than_thirty_megabytes_are_refused(
    sendgrid: SendGridAPIClient, mail: Callable[..., Mail]
) -> None:
    with pytest.raises(PayloadTooLargeError):
        sendgrid.send(mail(html="x" * (30 * 1024 * 1024)))


def test_a_compressed_body_is_read_within_the_same_limit(sandbox: SandboxClient, post: Post) -> None:
    compressed = {"Content-Encoding": "gzip"}
    answer = post(gzip.compress(json.dumps(good()).encode()), compressed)
    assert answer.status == 202
    assert sandbox.message(answer.headers["X-Message-Id"]).text == "Bonjour"
    assert post(gzip.compress(b" " * (31 * 1024 * 1024), 1), compressed).status == 413
    assert post(b"not gzip", compressed).status == 400


def test_connections_are_kept_and_counted(sandbox: SandboxClient, post: Post) -> None:
    for _ in range(5):
        post(good())
    assert len({message.connection for message in sandbox.messages()}) == 1
    stats = sandbox.stats()
    assert (stats.requests, stats.accepted, stats.connections) == (5, 5, 1)
