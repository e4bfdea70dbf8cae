"""One delivery's life in any order: sends, crashes, callbacks, look-ups, fallbacks, retries by hand."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.notifications.ledger import UNWATCH, WATCH, Ledger
from tests.notifications.life import CHANNELS, Hand, World
from tests.notifications.office import Answer
from tests.notifications.one_database import empty
from tests.notifications.pipeline import execute, never, side_by_side
from tests.notifications.told import again

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session, sessionmaker

    from tests.databases import Database
    from workers.dev.application import Application

NUMBER, OTHER = "+33639980001", "+33639980002"
# What is answered mostly comes mostly.
ANSWERS = st.sampled_from(
    [Answer.TAKEN] * 4 + [Answer.TAKEN_UNHEARD] * 3 + [Answer.LOST, Answer.UNDELIVERABLE] * 2 + list(Answer)
)
SECONDS = st.sampled_from([0, 0, 15, 31, 60, 901, 901, 1801, 1801, 86_400])
CHANNEL = st.sampled_from(CHANNELS)
WHICH = st.integers(0, 5)


@dataclass(frozen=True)
class Ground:
    """What all runs share: a database, emptied for each, and who uses it."""

    database: Database
    sessions: sessionmaker[Session]
    application: sessionmaker[Session]
    app: Application


@contextmanager
def watched(ground: Ground) -> Iterator[Ground]:
    """Each change of a status is noted meanwhile."""
    execute(ground.database.owner_url, *WATCH)
    try:
        yield ground
    finally:
        execute(ground.database.owner_url, *UNWATCH)


class Life(RuleBasedStateMachine):
    """A notification by e-mail and WhatsApp, which gives way to SMS, and another by SMS."""

    def __init__(self, ground: Ground) -> None:
        super().__init__()
        self.ground = ground
        self.hands: list[Hand] = []
        self.sound = True
        self.doubled = False

    @initialize(hold=st.sampled_from([False, False, True]), other=st.sampled_from([NUMBER, OTHER]))
    def begin(self, hold: bool, other: str) -> None:  # noqa: FBT001 - hypothesis passes it by name
        ground = self.ground
        empty(ground.database)
        execute(ground.database.owner_url, "truncate public.moves")
        client = ground.app.register("camille@example.com", "Camille Exemple")
        self.world = World(ground.sessions, ground.application, client, hold)
        self.ledger = Ledger(self.world)
        self.first = ground.app.notify(client, "Rendez-vous", "Demain à dix heures.")
        ground.app.deliver(self.first, "EMAIL", client.email)
        ground.app.deliver(self.first, "WHATSAPP", NUMBER)
        ground.app.deliver(ground.app.notify(client, "Bonjour", "À demain."), "SMS", other)

    @rule(seconds=SECONDS, channel=CHANNEL, answer=ANSWERS)
    def a_drain_runs(self, seconds: int, channel: str, answer: Answer) -> None:
        self._later(seconds, answer)
        self.world.drains[channel].run(never)

    @rule(seconds=SECONDS, channel=CHANNEL, answer=ANSWERS)
    def two_drains_run_at_once(self, seconds: int, channel: str, answer: Answer) -> None:
        self._later(seconds, answer)
        one, other = self.world.drains[channel], self.world.drain(channel)
        with side_by_side(lambda: one.run(never), lambda: other.run(never)):
            pass

    @rule(seconds=SECONDS, channel=CHANNEL)
    def a_worker_claims_and_stops(self, seconds: int, channel: str) -> None:
        self._later(seconds)
        self.hands.append(self.world.claim(channel))

    @precondition(lambda self: any(hand.ended is None for hand in self.hands))
    @rule(which=WHICH, answer=ANSWERS)
    def it_sends_and_stops(self, which: int, answer: Answer) -> None:
        idle = [hand for hand in self.hands if hand.ended is None]
        self._later(0, answer)
        idle[which % len(idle)].send()

    @precondition(lambda self: any(hand.ended is not None for hand in self.hands))
    @rule(seconds=SECONDS, which=WHICH)
    def it_settles(self, seconds: int, which: int) -> None:
        self._later(seconds)
        back = [hand for hand in self.hands if hand.ended is not None]
        hand = back[which % len(back)]
        self.hands.remove(hand)
        hand.settle()

    @precondition(lambda self: any(message.next for message in self.world.office.messages.values()))
    @rule(which=WHICH, what=WHICH, told=st.sampled_from([True, True, False]))
    def something_becomes_of_a_message(self, which: int, what: int, told: bool) -> None:  # noqa: FBT001 - by name
        under_way = [message for message in self.world.office.messages.values() if message.next]
        message = under_way[which % len(under_way)]
        self.world.office.move_on(message, message.next[what % len(message.next)])
        if told:
            self.world.hear(message.callback())

    @precondition(lambda self: self.world.office.outgoing)
    @rule(which=st.lists(WHICH, min_size=1, max_size=4), copy=WHICH)
    def callbacks_come_late_and_again(self, which: list[int], copy: int) -> None:
        outgoing = self.world.office.outgoing
        self.world.hear(*(again(outgoing[-1 - each % len(outgoing)], copy) for each in which))

    @rule(seconds=SECONDS, mute=st.sampled_from([False, False, True]))
    def look_ups_run(self, seconds: int, mute: bool) -> None:  # noqa: FBT001 - hypothesis passes it by name
        self._later(seconds)
        self.world.office.mute = mute
        self.world.sweep()
        self.world.lookups.run(never)

    @rule(which=WHICH, answer=ANSWERS)
    def a_person_sends_one(self, which: int, answer: Answer) -> None:
        self._later(0, answer)
        delivery = self._delivery(which)
        self.world.drains[delivery.channel].one(delivery.id)

    @rule(which=WHICH)
    def a_person_retries(self, which: int) -> None:
        delivery = self._delivery(which)
        if self.world.retry_by_hand(delivery.id):
            self.ledger.acted(delivery.id, retried=True)

    @rule(seconds=SECONDS)
    def a_person_replays(self, seconds: int) -> None:
        self._later(seconds)
        for delivery_id in self.world.replay():
            self.ledger.acted(delivery_id, retried=False)

    @precondition(lambda self: not self.doubled)
    @rule(channel=CHANNEL)
    def the_application_inserts_one_more(self, channel: str) -> None:
        self.doubled = True
        recipient = "camille@example.com" if channel == "EMAIL" else NUMBER
        self.ground.app.deliver(self.first, channel, recipient)

    @invariant()
    def all_holds(self) -> None:
        self.sound = False
        self.ledger.check()
        self.sound = True

    def teardown(self) -> None:
        if self.sound and hasattr(self, "ledger"):
            self.world.all_is_well()
            self.ledger.end()

    def _later(self, seconds: int, answer: Answer = Answer.TAKEN) -> None:
        """So much time has passed, and this is how the provider deals with what it is handed now."""
        self.world.clock.forward(seconds)
        self.world.office.answer = answer

    def _delivery(self, which: int) -> Any:
        rows = self.world.rows(
            "select id, channel::text from notification_deliveries order by created_at, channel"
        )
        return rows[which % len(rows)]


@pytest.fixture
def ground(
    database: Database,
    sessions: sessionmaker[Session],
    application: sessionmaker[Session],
    app: Application,
) -> Iterator[Ground]:
    with watched(Ground(database, sessions, application, app)) as shared:
        yield shared


def live(ground: Ground, lives: int, steps: int, *, by_chance: bool) -> None:
    """Run some lives of so many steps: always the same, or others each time."""
    run_state_machine_as_test(
        partial(Life, ground),  # type: ignore[arg-type] # it is only called
        settings=settings(
            max_examples=lives,
            stateful_step_count=steps,
            deadline=None,
            derandomize=not by_chance,
            database=None,
            # A life that fails is made shorter for minutes, which is no use where nobody waits for it.
            phases=tuple(Phase) if by_chance else (Phase.generate,),
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_whatever_happens_to_a_delivery(ground: Ground) -> None:
    live(ground, lives=12, steps=25, by_chance=False)


def test_what_nobody_could_ask_for_in_days_is_sent_again(ground: Ground) -> None:
    client = ground.app.register("camille@example.com", "Camille Exemple")
    ground.app.deliver(ground.app.notify(client, "Bonjour", "À demain."), "SMS", NUMBER)
    world = World(ground.sessions, ground.application, client, hold=False)
    world.office.answer = Answer.LOST
    world.drains["SMS"].run(never)
    world.clock.forward(2 * 86_400)
    world.all_is_well()
    assert [message.channel for message in world.office.messages.values()] == ["SMS"]
