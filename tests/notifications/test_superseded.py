"""What took over is not sent once the message before it has arrived after all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.notifications.life import World
from tests.notifications.office import Answer
from tests.notifications.pipeline import UNKNOWN_WAIT, never

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from workers.dev.application import Application, Client

NUMBER = "+33639980001"


@pytest.fixture
def world(
    app: Application, client: Client, sessions: sessionmaker[Session], application: sessionmaker[Session]
) -> World:
    """A WhatsApp message is about to be sent."""
    app.deliver(app.notify(client, "Bonjour", "À demain."), "WHATSAPP", NUMBER)
    return World(sessions, application, client, hold=False)


def send(world: World, channel: str, answer: Answer) -> None:
    world.office.answer = answer
    world.drains[channel].run(never)


def arrives(world: World, message: int = 0) -> None:
    """The provider delivers one of the messages that it has taken, and says so."""
    world.office.move_on(list(world.office.messages.values())[message], "delivered")
    world.hear(*world.office.outgoing)


def by_sms(world: World) -> Any:
    (found,) = world.rows(
        "select d.status::text, d.provider_response ->> 'code' as code, q.delivery_id is not null as queued"
        " from notification_deliveries d left join fleet.dispatch q on q.delivery_id = d.id"
        " where d.channel = 'SMS'"
    )
    return tuple(found)


def sent(world: World) -> list[str]:
    return [message.channel for message in world.office.messages.values()]


@pytest.mark.parametrize("answer", [Answer.TRANSIENT, Answer.RATE_LIMITED, Answer.LOST])
def test_an_sms_that_was_tried_in_vain_is_not_tried_again(world: World, answer: Answer) -> None:
    send(world, "WHATSAPP", Answer.TAKEN)
    world.clock.forward(1801)
    world.lookups.run(never)
    send(world, "SMS", answer)
    arrives(world)
    world.clock.forward(2 * UNKNOWN_WAIT)
    send(world, "SMS", Answer.TAKEN)
    assert by_sms(world) == ("FAILED", "superseded", False)
    assert sent(world) == ["WHATSAPP"]
    assert world.rows("select from fleet.attempts where closed_at is null") == []


def test_an_sms_after_a_refusal_is_not_sent_where_an_earlier_try_has_arrived(world: World) -> None:
    send(world, "WHATSAPP", Answer.TAKEN_UNHEARD)
    world.clock.forward(UNKNOWN_WAIT)
    world.clock.forward(UNKNOWN_WAIT)
    send(world, "WHATSAPP", Answer.UNDELIVERABLE)
    assert by_sms(world) == ("PENDING", None, True)
    arrives(world)
    send(world, "SMS", Answer.TAKEN)
    assert by_sms(world) == ("FAILED", "superseded", False)
    assert sent(world) == ["WHATSAPP"]


def test_an_sms_that_had_left_counts_when_its_proof_comes(world: World) -> None:
    send(world, "WHATSAPP", Answer.TAKEN)
    world.clock.forward(1801)
    world.lookups.run(never)
    send(world, "SMS", Answer.TAKEN_UNHEARD)
    world.office.outgoing.clear()
    arrives(world)
    world.clock.forward(2 * UNKNOWN_WAIT)
    send(world, "SMS", Answer.TAKEN)
    assert by_sms(world) == ("FAILED", "superseded", False)
    arrives(world, 1)
    assert by_sms(world) == ("SENT", None, False)
