"""The shapes of the control API, read and written by its server and by its client."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

FaultKind = Literal["slow", "status", "drop_before", "drop_after", "truncate", "garbage"]
MessageChannel = Literal["email", "sms", "whatsapp"]
PhoneConduct = Literal["deliver", "silent", "late", "read", "refuse", "fail", "stuck"]
EmailConduct = Literal["bounce", "block", "drop", "defer", "open", "click", "spam", "unsubscribe"]
Conduct = Literal[PhoneConduct, EmailConduct]
Seconds = Annotated[float, Field(ge=0, le=600)]
WebhookUrl = Annotated[str, Field(pattern=r"^(https?://\S+)?$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Fault(_Strict):
    """What the next requests meet. Only a good request meets a fault.

    Attributes:
        kind: ``slow`` waits; ``status`` refuses with a status; ``drop_before`` closes the connection without
            accepting; ``drop_after`` accepts and closes it without an answer; ``truncate`` accepts and cuts
            the answer before the message's id (within SendGrid's headers, which some clients take for a 202
            without an id; within Twilio's body); ``garbage`` accepts and answers bytes that are not HTTP.
        count: Number of requests that meet it.
        to: Only requests with this in a recipient's address; empty for all. Twilio's WhatsApp addresses begin
            with ``whatsapp:``; of Stripe's, it is the path, such as ``/v1/events``.
        seconds: ``slow``: how long.
        when: ``slow``: ``before`` waits and then accepts, unless the client has hung up by then;
            ``after`` accepts at once and waits with the answer.
        status: ``status``: which one.
        retry_after: ``status``: seconds for the ``Retry-After`` header.
        every: Only one request in so many: the last of each such row.
        request: ``send`` for those that send a message or create something at Stripe, ``look`` for all others
            of Twilio's and Stripe's.
    """

    kind: FaultKind
    count: int = Field(default=1, ge=1)
    to: str = ""
    seconds: Seconds | None = None
    when: Literal["before", "after"] | None = None
    status: int | None = Field(default=None, ge=400, le=599)
    retry_after: int | None = Field(default=None, ge=0)
    every: int = Field(default=1, ge=1)
    request: Literal["send", "look"] = "send"

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


class Behaviour(_Strict):
    """What becomes of the messages to one address.

    Attributes:
        to: An e-mail address, or a number without a channel's prefix; whole.
        does: For all: ``deliver``; ``silent`` delivers and tells nobody; ``late`` delivers after ``seconds``.
            For phones: ``read`` (what WhatsApp does of itself); ``refuse`` answers with ``code``; ``fail``
            accepts and tells ``code`` later; ``stuck`` is sent and no more is heard of it. For e-mails: what
            SendGrid's events say, ``block`` being a bounce that is not the address's fault.
        channel: Only messages of this channel.
        count: Only that many messages.
        code: ``refuse``, ``fail``: Twilio's number of the error.
        seconds: ``late``: how long.
    """

    to: str = Field(min_length=1)
    does: Conduct
    channel: MessageChannel | None = None
    count: int | None = Field(default=None, ge=1)
    code: int | None = Field(default=None, ge=1)
    seconds: Seconds | None = None

    @model_validator(mode="after")
    def _fields_of_the_conduct(self) -> Self:
        needs = {"refuse": {"code"}, "fail": {"code"}, "late": {"seconds"}}.get(self.does, set())
        given = {name for name in ("code", "seconds") if getattr(self, name) is not None}
        if missing := needs - given:
            raise ValueError(f"to {self.does} needs {', '.join(sorted(missing))}")
        if surplus := given - needs:
            raise ValueError(f"to {self.does} has no {', '.join(sorted(surplus))}")
        return self


class BehaviourView(BaseModel):
    """A behaviour that is set, and how many messages it still holds for; None for all."""

    id: int
    behaviour: Behaviour
    remaining: int | None


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
        account_sid: The only account that Twilio's API knows from now on.
        auth_token: What opens it, and signs Twilio's callbacks.
        inbound_url: Where what a phone answers is posted; empty for nowhere.
        whatsapp_window: Whether WhatsApp takes free text only within 24 hours of an answer from the phone.
        price_delay: Seconds from a message's way out until its price can be fetched.
        stripe_key: The only key that Stripe's API accepts from now on.
        stripe_webhook_secret: Signs Stripe's events.
        stripe_webhook_url: Where Stripe's events are posted; empty for nowhere.
        stripe_per_second: Requests in a second that Stripe's API answers; 0 for all. Test keys have 25.
        templates: The approved templates' words by ContentSid, with places like ``{{1}}``; while there are
            none, every ContentSid is known and the words are not.
    """

    api_key: str = Field(default="", min_length=1)
    latency: Seconds = 0.0
    webhooks: bool = True
    webhook_url: WebhookUrl = ""
    account_sid: str = Field(default="", pattern=r"^AC[0-9a-fA-F]{32}$")
    auth_token: str = Field(default="", min_length=1)
    inbound_url: WebhookUrl = ""
    whatsapp_window: bool = False
    price_delay: Seconds = 0.0
    stripe_key: str = Field(default="", min_length=1)
    stripe_webhook_secret: str = Field(default="", min_length=1)
    stripe_webhook_url: WebhookUrl = ""
    stripe_per_second: int = Field(default=0, ge=0)
    templates: dict[str, str] | None = None


class SettingsView(BaseModel):
    """The settings as they are. ``public_key`` checks the events' signatures (base64 of the DER)."""

    api_key: str
    latency: float
    webhooks: bool
    webhook_url: str
    account_sid: str
    auth_token: str
    inbound_url: str
    whatsapp_window: bool
    price_delay: float
    stripe_key: str
    stripe_webhook_secret: str
    stripe_webhook_url: str
    stripe_per_second: int
    templates: dict[str, str] | None
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


class PhoneMessageView(BaseModel):
    """A message to a phone or from it.

    ``to`` and ``from_number`` are without a channel's prefix; ``token`` is the ``attempt`` of the callback's
    address.
    """

    sid: str
    channel: Literal["sms", "whatsapp"]
    inbound: bool
    to: str
    from_number: str
    body: str
    content_sid: str | None
    variables: dict[str, str]
    status: str
    error_code: int | None
    segments: int
    validity: int | None
    token: str | None
    created_at: datetime
    connection: int
    callbacks: str


class PhoneReply(_Strict):
    """What a person writes on a phone.

    Attributes:
        number: The phone's.
        body: The text.
        channel: By which; of itself that of the last message to the phone.
        to: To which of our numbers; of itself the one that wrote last by that channel.
    """

    number: str = Field(min_length=1)
    body: str = Field(min_length=1, max_length=1600)
    channel: Literal["sms", "whatsapp"] | None = None
    to: str | None = None


class Stats(BaseModel):
    """Counts since the start: of requests to the vendors' APIs, and of the connections that carried any.

    Requests to Stripe's are counted apart, by endpoint; here only those refused, and those that met a fault.

    Attributes:
        requests: All of them.
        accepted: Those whose message was taken, whatever was answered.
        channels: The same by channel.
        refused: Those answered with an error, by status.
        faults: Those that met a fault, by kind.
        connections: TCP connections with at least one of them.
    """

    requests: int
    accepted: int
    channels: dict[str, int]
    refused: dict[str, int]
    faults: dict[str, int]
    connections: int
