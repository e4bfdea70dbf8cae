"""What must hold of deliveries whatever happens to them, read from the tables and the provider's memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import combinations
from typing import TYPE_CHECKING, Any

from db.queries import story
from tests.notifications.office import ARRIVED, FAILED
from tests.notifications.pipeline import UNKNOWN_WAIT
from workers.telling import tell

if TYPE_CHECKING:
    from uuid import UUID

    from tests.notifications.life import World
    from tests.notifications.office import Message

# Each change by itself: one batch may make several.
WATCH = (
    (
        "create table public.moves (number bigint generated always as identity, delivery_id uuid, was text,"
        " became text)"
    ),
    (
        "create function public.watch() returns trigger language plpgsql security definer as $$ begin"
        " insert into public.moves (delivery_id, was, became) values (old.id, old.status, new.status);"
        " return new; end $$"
    ),
    (
        "create trigger watch after update on notification_deliveries for each row"
        " when (old.status is distinct from new.status) execute function public.watch()"
    ),
)
UNWATCH = ("drop function public.watch() cascade", "drop table public.moves")

EXPLAINED = 5
"""A story is told after every so many steps, each time another delivery's."""

MOVES = {
    *(("PENDING", became) for became in ("SENT", "FAILED", "BOUNCED")),
    *(("SENT", became) for became in ("FAILED", "BOUNCED")),
    *(("FAILED", became) for became in ("SENT", "BOUNCED", "PENDING")),
    *(("BOUNCED", became) for became in ("SENT", "FAILED", "PENDING")),
}


@dataclass
class Ledger:
    """Looks after each step, and remembers when it first saw what.

    Attributes:
        world: The parts.
    """

    world: World
    step: int = 0
    moves: int = 0
    opened: dict[UUID, int] = field(default_factory=dict)
    accepted: dict[UUID, int] = field(default_factory=dict)
    arrived: dict[UUID, int] = field(default_factory=dict)
    by_hand: dict[UUID, list[int]] = field(default_factory=dict)
    retried: Counter[UUID] = field(default_factory=Counter)

    def acted(self, delivery_id: UUID, *, retried: bool) -> None:
        """A person has had it sent again."""
        self.by_hand.setdefault(delivery_id, []).append(self.step)
        self.retried[delivery_id] += retried

    def check(self) -> None:
        """Look at everything.

        Raises:
            AssertionError: Something does not hold.
        """
        rows = self.world.rows
        deliveries = {row.id: row for row in rows(_DELIVERIES)}
        attempts: dict[UUID, list[Any]] = {delivery_id: [] for delivery_id in deliveries}
        for attempt in rows(_ATTEMPTS):
            attempts[attempt.delivery_id].append(attempt)
            self.opened.setdefault(attempt.token, self.step)
            if attempt.outcome == "ACCEPTED":
                self.accepted.setdefault(attempt.token, self.step)
            if attempt.arrived:
                self.arrived.setdefault(attempt.delivery_id, self.step)
        for move in rows(f"select * from public.moves where number > {self.moves} order by number"):
            self.moves = move.number
            self._moved(move, deliveries[move.delivery_id], attempts[move.delivery_id])
        for delivery in deliveries.values():
            self._is_queued_until_its_last_word(delivery)
            self._says_what_is_true(delivery, attempts[delivery.id])
            self._was_not_sent_twice(attempts[delivery.id])
        for fallback in rows("select * from fleet.fallbacks where from_delivery_id is not null"):
            self._gave_way_for_a_reason(fallback, attempts[fallback.to_delivery_id])
        if self.step % EXPLAINED == 0:
            self.explain(sorted(deliveries)[self.step // EXPLAINED % len(deliveries)])
        self.step += 1

    def explain(self, some_id: UUID) -> None:
        with self.world.sessions() as session:
            found = story.find(session, some_id)
            assert found is not None
            assert tell(found, self.world.clock())

    def explain_all(self) -> None:
        """From their notifications, and from an attempt of each delivery."""
        for row in self.world.rows(
            "select id from notifications union all"
            " select distinct on (delivery_id) token from fleet.attempts"
        ):
            self.explain(row.id)

    def _messages(self, attempts: list[Any]) -> list[Message]:
        taken = self.world.office.messages
        return [taken[attempt.token] for attempt in attempts if attempt.token in taken]

    def _moved(self, move: Any, delivery: Any, attempts: list[Any]) -> None:
        assert (move.was, move.became) in MOVES, f"from {move.was} to {move.became}"
        if move.became == "PENDING":
            self.retried[move.delivery_id] -= 1
            assert self.retried[move.delivery_id] >= 0, "PENDING again, and nobody asked for it"
        elif move.became == "SENT" and move.was != "PENDING":
            assert any(a.outcome == "ACCEPTED" and a.state not in {"FAILED", "BOUNCED"} for a in attempts), (
                f"from {move.was} to SENT, though all that was accepted has failed"
            )
        elif move.was != "PENDING":
            assert any(message.status in FAILED for message in self._messages(attempts)), (
                f"{delivery.channel} from {move.was} to {move.became}, and the provider never said so"
            )

    @staticmethod
    def _is_queued_until_its_last_word(delivery: Any) -> None:
        assert delivery.queued == (delivery.status == "PENDING"), (
            f"{delivery.channel} is {delivery.status} and {'' if delivery.queued else 'not '}in the queue"
        )
        assert delivery.parked_at is None or delivery.last_code, "parked without a word"

    def _says_what_is_true(self, delivery: Any, attempts: list[Any]) -> None:
        messages = self._messages(attempts)
        if delivery.status == "SENT":
            assert messages, f"{delivery.channel} is SENT, and the provider has nothing of it"
        if delivery.receipt is not None:
            assert any(message.status in FAILED for message in messages), "a failure that never was"
        assert sum(attempt.outcome is None for attempt in attempts) <= 1
        assert sum(attempt.outcome == "ACCEPTED" for attempt in attempts) <= len(messages)

    def _was_not_sent_twice(self, attempts: list[Any]) -> None:
        """Of two messages the first was unknown for its time, or a person wanted the second."""
        taken = [attempt for attempt in attempts if attempt.token in self.world.office.messages]
        for first, second in combinations(taken, 2):
            since, until = self.opened[first.token], self.opened[second.token]
            if any(since < step <= until for step in self.by_hand.get(first.delivery_id, ())):
                continue
            waited = second.opened_at - first.opened_at
            assert waited >= timedelta(seconds=UNKNOWN_WAIT), f"sent again after {waited}"
            assert self.accepted.get(first.token, until) >= until, "sent again, though it was known"

    def _gave_way_for_a_reason(self, fallback: Any, attempts: list[Any]) -> None:
        """Nothing is sent the other way once it is known that the first has arrived."""
        known = self.arrived.get(fallback.from_delivery_id)
        asked = {fallback.from_delivery_id, fallback.to_delivery_id} & self.by_hand.keys()
        if known is None or asked:
            return
        late = [attempt for attempt in attempts if self.opened[attempt.token] > known]
        assert not late, f"gave way ({fallback.reason}), and was sent though the first had arrived"

    def end(self) -> None:
        """What holds when there is nothing left to do."""
        self.check()
        self.explain_all()
        for delivery in self.world.rows(_DELIVERIES):
            assert delivery.status != "PENDING" or delivery.parked_at is not None, "lost"
        attempts: dict[UUID, list[Any]] = {}
        for attempt in self.world.rows(_ATTEMPTS):
            attempts.setdefault(attempt.delivery_id, []).append(attempt)
        for delivery in self.world.rows(_DELIVERIES):
            messages = self._messages(attempts.get(delivery.id, []))
            if any(message.status in ARRIVED for message in messages) and not self.by_hand.get(delivery.id):
                assert delivery.status == "SENT", f"{delivery.channel} has arrived, and is {delivery.status}"


_DELIVERIES = """
    select d.id, d.notification_id, d.channel::text, d.status::text, d.provider_response ->> 'code' as code,
      d.provider_response ->> 'receipt' as receipt, q.delivery_id is not null as queued, q.parked_at,
      q.last_code
    from notification_deliveries d left join fleet.dispatch q on q.delivery_id = d.id
"""
_ATTEMPTS = """
    select a.token, a.delivery_id, a.opened_at, a.outcome, r.state,
      coalesce(r.delivered_at, r.opened_at, r.clicked_at) is not null as arrived
    from fleet.attempts a left join fleet.receipts r using (token) order by a.delivery_id, a.number
"""
