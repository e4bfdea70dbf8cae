"""A typed client of the sandbox's control API, for tests and the demo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter

from workers.dev.sandbox.control_line import SandboxError
from workers.dev.sandbox.stripe_client import StripeLine
from workers.dev.sandbox.wire import (
    Behaviour,
    BehaviourView,
    Conduct,
    Fault,
    FaultKind,
    FaultView,
    MessageChannel,
    MessageDetail,
    MessageSummary,
    PhoneMessageView,
    PhoneReply,
    SettingsPatch,
    SettingsView,
    Stats,
)

if TYPE_CHECKING:
    from workers.dev.sandbox.phones import Channel

__all__ = ["SandboxClient", "SandboxError"]

_SUMMARIES = TypeAdapter(list[MessageSummary])
_PHONE_MESSAGES = TypeAdapter(list[PhoneMessageView])
_FAULTS = TypeAdapter(list[FaultView])
_BEHAVIOURS = TypeAdapter(list[BehaviourView])


class SandboxClient(StripeLine):
    """Talks to one sandbox. A context manager; safe to use from several threads.

    Args:
        base_url: Where it listens, without a slash at the end.
        timeout: Seconds that one call may take.
    """

    def messages(self, *, to: str = "", token: str | None = None) -> list[MessageSummary]:
        """The e-mails that were accepted, oldest first.

        Args:
            to: Only messages with this in a recipient's address.
            token: Only messages with a custom argument of this value.
        """
        filters = {"to": to} if token is None else {"to": to, "token": token}
        return _SUMMARIES.validate_json(self._api("GET", "messages", fields=filters))

    def message(self, message_id: str) -> MessageDetail:
        """One e-mail with its parts, by the provider's id."""
        return MessageDetail.model_validate_json(self._api("GET", f"messages/{message_id}"))

    def phone_messages(
        self,
        *,
        number: str | None = None,
        channel: Channel | None = None,
        token: str | None = None,
        inbound: bool | None = None,
        **filters: str,
    ) -> list[PhoneMessageView]:
        """The messages to phones that were accepted, and what the phones answered, oldest first.

        Args:
            number: Only those of one phone, without a channel's prefix.
            channel: Only those of one channel.
            token: Only those whose callback's address has this ``attempt``.
            inbound: Only what phones have written, or only what was written to them.
            filters: ``to``, ``from`` or ``status``, whole.
        """
        given: dict[str, str | None] = {"number": number, "channel": channel, "token": token, **filters}
        if inbound is not None:
            given["inbound"] = str(inbound).lower()
        fields = {name: value for name, value in given.items() if value is not None}
        return _PHONE_MESSAGES.validate_json(self._api("GET", "phones/messages", fields=fields))

    def phone_message(self, sid: str) -> PhoneMessageView:
        """One message to a phone or from it, by the provider's id."""
        return PhoneMessageView.model_validate_json(self._api("GET", f"phones/messages/{sid}"))

    def reply(
        self, number: str, body: str, *, channel: Channel | None = None, to: str | None = None
    ) -> PhoneMessageView:
        """Write on a phone, to whom wrote to it last; the inbound webhook follows.

        Args:
            number: The phone's, without a channel's prefix.
            body: The text; ``STOP`` and ``START`` do to an SMS's sender what they do at Twilio.
            channel: By which; of itself the last message's.
            to: To which of our numbers; of itself the last message's.
        """
        reply = PhoneReply(number=number, body=body, channel=channel, to=to)
        return PhoneMessageView.model_validate_json(self._api("POST", "phones/replies", body=reply))

    def clear(self) -> None:
        """Forget all messages, and what phones have said about being written to."""
        self._api("DELETE", "messages")

    def fault(  # noqa: PLR0913  one keyword for each field of `Fault`
        self,
        kind: FaultKind,
        *,
        count: int = 1,
        to: str = "",
        every: int = 1,
        seconds: float | None = None,
        when: Literal["before", "after"] | None = None,
        status: int | None = None,
        retry_after: int | None = None,
        request: Literal["send", "look"] = "send",
    ) -> None:
        """Set a fault for the next ``count`` requests; the fields are those of `Fault`.

        Raises:
            pydantic.ValidationError: The fields don't fit the kind.
        """
        fault = Fault(
            kind=kind,
            count=count,
            every=every,
            to=to,
            seconds=seconds,
            when=when,
            status=status,
            retry_after=retry_after,
            request=request,
        )
        self._api("POST", "faults", body=fault)

    def faults(self) -> list[FaultView]:
        """The faults that still wait for requests."""
        return _FAULTS.validate_json(self._api("GET", "faults"))

    def clear_faults(self) -> None:
        """Forget all faults."""
        self._api("DELETE", "faults")

    def behave(  # noqa: PLR0913  one keyword for each field of `Behaviour`
        self,
        to: str,
        does: Conduct,
        *,
        channel: MessageChannel | None = None,
        count: int | None = None,
        code: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Say what becomes of messages to an address; the fields are those of `Behaviour`.

        Raises:
            pydantic.ValidationError: The fields don't fit the conduct.
        """
        behaviour = Behaviour(to=to, does=does, channel=channel, count=count, code=code, seconds=seconds)
        self._api("POST", "behaviours", body=behaviour)

    def behaviours(self) -> list[BehaviourView]:
        """The behaviours that are set."""
        return _BEHAVIOURS.validate_json(self._api("GET", "behaviours"))

    def clear_behaviours(self) -> None:
        """Forget what was set; what addresses say of themselves holds."""
        self._api("DELETE", "behaviours")

    def settings(self) -> SettingsView:
        """The settings as they are."""
        return SettingsView.model_validate_json(self._api("GET", "settings"))

    def public_key(self) -> str:
        """What checks the signatures of the events, as SendGrid's settings show it."""
        return self.settings().public_key

    def change(self, **settings: Any) -> None:
        """Change settings; the names are those of `SettingsPatch`.

        Raises:
            pydantic.ValidationError: There is no such setting, or no such value.
        """
        self._api("PATCH", "settings", body=SettingsPatch(**settings))

    def set_key(self, api_key: str) -> None:
        """Let SendGrid's API accept only this key from now on."""
        self.change(api_key=api_key)

    def set_latency(self, seconds: float) -> None:
        """Let each answer take this long."""
        self.change(latency=seconds)

    def set_webhook_url(self, url: str) -> None:
        """Post SendGrid's events there from now on; empty for nowhere."""
        self.change(webhook_url=url)

    def hold_webhooks(self) -> None:
        """Let callbacks wait."""
        self.change(webhooks=False)

    def release_webhooks(self) -> None:
        """Post the callbacks that waited, and all others at once."""
        self.change(webhooks=True)

    def stats(self) -> Stats:
        """The counts since the sandbox started."""
        return Stats.model_validate_json(self._api("GET", "stats"))
