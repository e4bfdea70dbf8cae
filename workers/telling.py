"""A story as moments in their order: what ``fleet explain`` prints."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from db.models.settling import Letter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from db.models import Event, Notification, NotificationDelivery
    from db.models.fleet import Attempt, DispatchRow, FallbackRow, Preference, ReceiptRow
    from db.models.settling import Notice
    from db.queries.story import DeliveryStory, Story


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened; ``at`` is None for what is still to come or holds at present."""

    at: datetime | None
    what: str
    which: UUID
    told: str


_OUTCOMES = {
    "ACCEPTED": "accepted",
    "REFUSED": "refused for good",
    "DEFERRED": "not taken for now",
    "NO_EVIDENCE": "given up: nothing was heard of it in time, sent again",
    "NOT_SENT": "not sent, our own fault",
}


_PROOFS = {"CALLBACK": ", proved by a callback", "LOOKUP": ", found when the provider was asked"}
_QUESTIONS = {
    "STATUS": "the provider is asked for its state and price",
    "SEARCH": "the provider's list is searched for it",
}
_WHY_IT_GAVE_WAY = {
    "REFUSED": "was refused",
    "FAILED": "failed",
    "NOT_DELIVERED": "was not delivered in time",
    "HAS_NONE": "does not reach this person",
}


def tell(story: Story, now: datetime) -> list[Moment]:
    """All that is known, in the order of time; what holds at present comes last.

    Names, addresses and texts are not told: ids lead to them.
    """
    moments = [*_event(story)]
    for notice in story.notices:
        moments += _notice(notice)
    for notification, author in story.notifications:
        moments.append(_notification(notification, author))
    for delivery in story.deliveries:
        moments += _delivery(delivery, now)
    moments += [Moment(None, "person", said.user_id, _wants(said)) for said in story.preferences]
    return sorted(moments, key=lambda moment: moment.at or datetime.max.replace(tzinfo=UTC))


def _event(story: Story) -> Iterator[Moment]:
    event: Event | None = story.event
    if event is None:
        return
    yield Moment(
        event.created_at, "event", event.id, f"{event.event_type} of {event.entity_type} {event.entity_id}"
    )
    if story.fanout is not None:
        reason = f": {story.fanout.reason}" if story.fanout.reason else ""
        yield Moment(story.fanout.fanned_out_at, "fan-out", event.id, f"{story.fanout.outcome}{reason}")
    if story.queued is not None:
        error = f", last error {story.queued.last_error}" if story.queued.last_error else ""
        state = "parked" if story.queued.parked_at else f"in the outbox, due {_time(story.queued.due_at)}"
        yield Moment(None, "fan-out", event.id, f"{state}, {story.queued.tries} tries{error}")


def _notice(notice: Notice) -> Iterator[Moment]:
    about = f", about order {notice.order_id}" if notice.order_id else ""
    yield Moment(notice.enqueued_at, "notice", notice.id, f"{notice.template_code}{about}")
    if notice.notification_id is not None:
        yield Moment(notice.told_at, "notice", notice.id, f"told as notification {notice.notification_id}")
    elif notice.told_at is not None:
        told = "told to nobody: the person is gone, or was erased"
        yield Moment(notice.told_at, "notice", notice.id, told)
    else:
        error = f", last error {notice.last_error}" if notice.last_error else ""
        state = "parked" if notice.parked_at else f"due {_time(notice.due_at)}"
        yield Moment(None, "notice", notice.id, f"{state}, {notice.tries} tries{error}")


def _notification(notification: Notification, author: str | None) -> Moment:
    by = "the fleet" if author == "FLEET" else "the application"
    told = f"written by {by}, template {notification.template_code or '-'}"
    return Moment(notification.created_at, "notification", notification.id, told)


def _delivery(story: DeliveryStory, now: datetime) -> Iterator[Moment]:
    delivery = story.delivery
    yield _made(delivery)
    for attempt in story.attempts:
        yield from _attempt(attempt)
    opened = {attempt.token: attempt.opened_at for attempt in story.attempts}
    for receipt in story.receipts:
        yield from _receipt(receipt, opened[receipt.token])
    for question in story.lookups:
        error = f", {question.last_error}" if question.last_error else ""
        told = f"{_QUESTIONS[question.kind]} at {_time(question.due_at)}, asked {question.tries} times{error}"
        yield Moment(None, "look-up", question.token, told)
    if story.fallback is not None:
        yield _fallback(story.fallback, delivery.id)
    for done in story.interventions:
        anew = done.details.get("sent_as")
        where = f"; to the account's present address as {anew}" if anew else ""
        yield Moment(done.at, "by hand", delivery.id, f"{done.action} by {done.who}: {done.why}{where}")
    for callback in story.callbacks:
        handled = callback.handled_as or "not worked off yet"
        told = f"{callback.provider} says {callback.event} ({handled.lower()})"
        yield Moment(callback.received_at, "callback", delivery.id, told)
    if story.queued is not None:
        yield from _waiting(story, story.queued, now)
    if delivery.status != "PENDING":
        response = delivery.provider_response or {}
        why = f": {response['code']} {response.get('error', '')}".rstrip() if "code" in response else ""
        by = f" by {delivery.provider}" if delivery.provider else ""
        named = f" as {delivery.provider_message_id}" if delivery.provider_message_id else ""
        yield Moment(
            delivery.sent_at or delivery.failed_at, "end", delivery.id, f"{delivery.status}{by}{named}{why}"
        )


def _made(delivery: NotificationDelivery | Letter) -> Moment:
    if isinstance(delivery, Letter):
        told = f"{delivery.channel} of payment link {delivery.payment_link_id}, {delivery.template_code}"
        return Moment(delivery.created_at, "letter", delivery.id, told)
    told = f"{delivery.channel} of {delivery.notification_id}"
    return Moment(delivery.created_at, "delivery", delivery.id, told)


def _waiting(story: DeliveryStory, queued: DispatchRow, now: datetime) -> Iterator[Moment]:
    which, pause, suppressed = story.delivery.id, story.pause, story.suppressed
    yield Moment(None, "queue", which, _place(queued, now))
    if suppressed is not None:
        told = f"suppressed since {_time(suppressed.since)}: {suppressed.reason}, said by {suppressed.source}"
        yield Moment(None, "address", which, told)
    if pause is not None and pause.paused_until > now:
        told = f"paused until {_time(pause.paused_until)}: {pause.code} {pause.detail}"
        yield Moment(None, "channel", which, told)


def _receipt(receipt: ReceiptRow, opened_at: datetime) -> Iterator[Moment]:
    for state in ("deferred", "sent", "delivered", "opened", "clicked", "failed", "bounced"):
        at: datetime | None = getattr(receipt, f"{state}_at")
        if at is not None:
            last = receipt.state == state.upper()
            said = " ".join(part for part in (receipt.code, receipt.reason) if part) if last else ""
            # A provider's time may have whole seconds only: its word does not come before what it is about.
            yield Moment(
                max(at, opened_at), "receipt", receipt.token, f"{state}{f': {said}' if said else ''}"
            )


def _fallback(fallback: FallbackRow, delivery_id: UUID) -> Moment:
    why = f"{fallback.from_channel} {_WHY_IT_GAVE_WAY[fallback.reason]}"
    code = f" ({fallback.code})" if fallback.code else ""
    which = fallback.to_delivery_id if fallback.from_delivery_id == delivery_id else fallback.from_delivery_id
    verb = "takes over as" if fallback.from_delivery_id == delivery_id else "took over from"
    told = f"{why}{code}: {fallback.to_channel} {verb} {which or 'the first'}"
    return Moment(fallback.decided_at, "fallback", delivery_id, told)


def _attempt(attempt: Attempt) -> Iterator[Moment]:
    told = f"try {attempt.number} handed to {attempt.provider}"
    yield Moment(attempt.opened_at, "attempt", attempt.token, told)
    said = " ".join(part for part in (attempt.code, attempt.message) if part)
    if attempt.outcome is None:
        told = f"try {attempt.number}: outcome unknown{f' ({said})' if said else ''}, open for evidence"
        yield Moment(None, "attempt", attempt.token, told)
        return
    named = f" as {attempt.provider_message_id}" if attempt.provider_message_id else ""
    proof = _PROOFS.get(attempt.evidence or "", "")
    outcome = _OUTCOMES.get(attempt.outcome, attempt.outcome)
    cost = f", {attempt.segments} segments" if attempt.segments else ""
    cost += f", {attempt.price} {attempt.price_unit}" if attempt.price is not None else ""
    told = f"try {attempt.number}: {outcome}{named}{proof}{cost}{f': {said}' if said else ''}"
    yield Moment(attempt.closed_at, "attempt", attempt.token, told)


def _place(queued: DispatchRow, now: datetime) -> str:
    tries = f"{queued.tries} tries"
    if queued.parked_at is not None:
        return f"parked since {_time(queued.parked_at)}, {tries}, {queued.last_code or 'no code'}"
    if queued.lease_until is not None and queued.lease_until > now:
        return f"in a worker's hands until {_time(queued.lease_until)}, {tries}"
    if queued.last_code == "quiet_hours" and queued.due_at > now:
        return f"quiet hours until {_time(queued.due_at)}, {tries}"
    return f"due {_time(queued.due_at)}, {tries}"


def _wants(said: Preference) -> str:
    parts = [
        f"language {said.locale}" if said.locale else "",
        f"time zone {said.time_zone}" if said.time_zone else "",
        "prefers SMS" if said.prefers_sms else "",
        f"nothing by {', '.join(said.refused_channels)}" if said.refused_channels else "",
        f"nothing of {', '.join(said.opted_out)}" if said.opted_out else "",
        f"quiet {said.quiet_from:%H:%M} to {said.quiet_to:%H:%M}"
        if said.quiet_from and said.quiet_to
        else "",
    ]
    return "; ".join(part for part in parts if part) or "wants nothing in particular"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
