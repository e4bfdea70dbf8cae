"""The shapes of the control API, read and written by its server and by its client."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

FaultKind = Literal["slow", "status", "drop_before", "drop_after", "truncate", "garbage"]
Seconds = Annotated[float, Field(ge=0, le=600)]
WebhookUrl = Annotated[str, Field(pattern=r"^(https?://\S+)?$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Fault(_Strict):
    """What the next requests meet. Only a request that would have been accepted meets a fault.

    Attributes:
        kind: ``slow`` waits; ``status`` refuses with a status; ``drop_before`` closes the connection without
            accepting; ``drop_after`` accepts and closes it without an answer; ``truncate`` accepts and cuts
            the answer within its headers (some clients take that for a 202 without an id); ``garbage``
            accepts and answers bytes that are not HTTP.
        count: Number of requests.
        to: Only requests with this in a recipient's address; empty for all.
        seconds: ``slow``: how long.
        when: ``slow``: ``before`` waits and then accepts, unless the client has hung up by then;
            ``after`` accepts at once and waits with the answer.
        status: ``status``: which one.
        retry_after: ``status``: seconds for the ``Retry-After`` header.
    """

    kind: FaultKind
    count: int = Field(default=1, ge=1)
    to: str = ""
    seconds: Seconds | None = None
    when: Literal["before", "after"] | None = None
    status: int | None = Field(default=None, ge=400, le=599)
    retry_after: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _fields_of_the_kind(self) -> Self:
        needs = {"slow": {"seconds", "when"}, "status": {"status"}}.get(self.kind, set())
        allows = needs | ({"retry_after"} if self.kind == "status" else set())
        given = {
            name for name in ("seconds", "when", "status", "retry_after") if getattr(self, name) is not None
        }
        if missing := needs - given:
            raise ValueError(f"a fault of kind {self.kind} needs {', '.join(sorted(missing))}")
        if surplus := given - allows:
            raise ValueError(f"a fault of kind {self.kind} has no {', '.join(sorted(surplus))}")
        return self


class FaultView(BaseModel):
    """A fault that is set, and how many requests it still waits for."""

    id: int
    fault: Fault
    remaining: int


class SettingsPatch(_Strict):
    """The settings to change; what is left out stays.

    Attributes:
        api_key: The only key that is accepted from now on.
        latency: Seconds between an acceptance and its answer.
        webhooks: Whether callbacks are posted; while they are not, they wait.
        webhook_url: Where SendGrid's events are posted; empty for nowhere.
    """

    api_key: str = Field(default="", min_length=1)
    latency: Seconds = 0.0
    webhooks: bool = True
    webhook_url: WebhookUrl = ""


class SettingsView(BaseModel):
    """The settings as they are. ``public_key`` checks the events' signatures (base64 of the DER)."""

    api_key: str
    latency: float
    webhooks: bool
    webhook_url: str
    public_key: str


class MessageSummary(BaseModel):
    """An accepted message without its parts; ``recipient`` and ``custom_args`` are the first recipient's."""

    id: str
    accepted_at: datetime
    recipient: str
    recipients: list[str]
    subject: str
    custom_args: dict[str, Any]
    categories: list[str]
    connection: int
    callbacks: str


class MessageDetail(MessageSummary):
    """An accepted message with its parts, and the whole request as it was sent."""

    sender: str
    html: str
    text: str
    request: dict[str, Any]


class Stats(BaseModel):
    """Counts since the start: of requests to the vendors' APIs, and of the connections that carried any.

    Attributes:
        requests: All of them.
        accepted: Those whose message was taken, whatever was answered.
        refused: Those answered with an error, by status.
        faults: Those that met a fault, by kind.
        connections: TCP connections with at least one of them.
    """

    requests: int
    accepted: int
    refused: dict[str, int]
    faults: dict[str, int]
    connections: int
