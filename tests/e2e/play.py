"""Weeks on a running fleet: who comes and pays when, day by day, by a clock that is set."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

import urllib3

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import psycopg

    from tests.e2e.conftest import Fleet
    from tests.e2e.timed import Clock
    from workers.dev.application import Client
    from workers.dev.sandbox.wire import MessageSummary
    from workers.dev.shop import Shop

YEAR: Final = 2096
"""A leap year, so far ahead that the time as it is comes before all of it."""

SENDS_AT: Final = time(9, tzinfo=UTC)
ENTRY: Final = "send-reminders"
BEATS: Final = ("beat", "beat-2")

# The timetable has been looked at since a moment.
_TICKED = (
    "select coalesce(bool_and(finished_at >= %s and run is null), false) from fleet.schedule where name = %s"
)
# E-mails may be told of later; a phone of which nothing is heard would get an SMS when half an hour is over.
_LEFT = """
    select (select count(*) from fleet.outbox) + (select count(*) from fleet.dispatch)
      + (select count(*) from fleet.inbox where handled_at is null)
      + (select count(*) from fleet.notices where told_at is null)
      + (select count(*) from fleet.reminders where state = 'CLAIMED')
      + (select count(*) from notification_deliveries where status = 'PENDING')
      + (select count(*) from fleet.attempts a left join fleet.receipts r on r.token = a.token
         where a.channel in ('WHATSAPP', 'SMS') and a.outcome = 'ACCEPTED'
           and (r.state is null or r.state = 'SENT'))
"""
Act = tuple[str, "Callable[[], object]"]
"""What is done at a moment, such as ``01-26 10:00``."""


def moment(written: str) -> datetime:
    """Such as ``01-26 10:00``."""
    return datetime.strptime(f"{YEAR}-{written} +0000", "%Y-%m-%d %H:%M %z")


@dataclass
class Play:
    """People, and a fleet with two beats.

    Attributes:
        fleet: It.
        clock: What it goes by.
        shop: Where people buy.
        look: A connection as the database's owner.
        people: By the names that the play gives them.
    """

    fleet: Fleet
    clock: Clock
    shop: Shop
    look: psycopg.Connection
    people: dict[str, Client] = field(default_factory=dict)
    _beating: bool = True

    def run(self, first: str, days: int, acts: Sequence[Act]) -> None:
        """Live through some days: what is done on each, and its run of reminders at nine and not before.

        Args:
            first: The first day, such as ``01-26``.
            days: How many.
            acts: What is done, in the order of time. What is done at nine is done while reminders go out.
        """
        to_do = deque((moment(at), act) for at, act in acts)
        nine = datetime.combine(moment(f"{first} 00:00"), SENDS_AT)
        for _ in range(days):
            while to_do and to_do[0][0] < nine:
                self._do(*to_do.popleft())
            self._morning(nine, [to_do.popleft()[1] for at, _ in list(to_do) if at == nine])
            nine += timedelta(days=1)
        while to_do:
            self._do(*to_do.popleft())

    def _do(self, at: datetime, act: Callable[[], object]) -> None:
        self._go_to(at)
        act()
        self._settle()

    def _morning(self, nine: datetime, at_nine: Sequence[Callable[[], object]]) -> None:
        before = nine - timedelta(minutes=1)
        self._go_to(before)
        if self._beating:
            claimed = self._claimed()
            self._wait(_TICKED, before, "wake-queues", what="a tick at a minute to nine")
            assert self._claimed() == claimed, "reminders went out before nine"
        self._go_to(nine)
        for act in at_nine:
            act()
        if self._beating:
            self._wait(_TICKED, nine, ENTRY, what=f"the reminders of {nine:%d %B}")
        self._settle()
        self._check_sessions()

    def _check_sessions(self) -> None:
        """Each order has one session at most in which it could be paid, and bears that one."""
        sessions = [each for each in self.fleet.sandbox.stripe_sessions() if each.status == "open"]
        for session in sessions:
            [name] = [n for n in self.people if str(self._order(n)) == session.metadata["order_id"]]
            assert self._session(name) == session.id, name

    def _go_to(self, at: datetime) -> None:
        if at > self.clock.now():
            self.clock.set(at)

    def _claimed(self) -> int:
        return int(self._one("select count(*) from fleet.reminders"))

    def _settle(self) -> None:
        self.fleet.wait(
            lambda: self.fleet.one(_LEFT) == 0, f"an end of what was to do {self.clock.now():%d %B}"
        )

    def _wait(self, query: str, *values: object, what: str) -> None:
        self.fleet.wait(lambda: self._one(query, *values), what)

    def _one(self, query: str, *values: object) -> Any:
        row = self.look.execute(query.encode(), values).fetchone()
        assert row is not None
        return row[0]

    def comes(self, name: str, product: str = "LLC_FORMATION", phone: str | None = None) -> None:
        """Somebody registers, and the card is refused."""
        email = f"{name.replace(' ', '.')}@example.com"
        client = self.shop.register(email, "Camille Exemple", phone=phone, product=product)
        self.people[name] = client
        self.fleet.sql("update orders set created_at = %s where id = %s", self.clock.now(), client.order_id)
        self.fleet.sandbox.decline(self.shop.checkout(client).session_id)
        self._wait(
            "select status = 'SUSPENDED' from profiles where id = %s", client.user_id, what="a suspension"
        )

    def orders_more(self, name: str, more: str, product: str) -> None:
        """Somebody orders something else, and does not pay for it; known by another name from then on."""
        client = self.people[name]
        order_id = self.fleet.one(
            "insert into orders (user_id, product_id, amount, currency, created_at)"
            " select %s, id, price_amount, currency, %s from products where code = %s returning id",
            client.user_id,
            self.clock.now(),
            product,
        )
        self.people[more] = type(client)(client.user_id, client.email, order_id)
        self.shop.checkout(self.people[more])

    def pays(self, name: str) -> None:
        """Somebody pays in the order's current session, and is a client."""
        client = self.people[name]
        self.fleet.sandbox.pay(self._session(name))
        self._wait("select status = 'PAID' from orders where id = %s", client.order_id, what="a payment")

    def looks_take_long(self, name: str) -> None:
        """Stripe takes its time to say how somebody's current session stands."""
        self.fleet.sandbox.fault(
            "slow",
            seconds=1.0,
            when="before",
            request="look",
            to=f"/v1/checkout/sessions/{self._session(name)}",
            count=100,
        )

    def pays_unheard(self, name: str) -> None:
        """Somebody pays as soon as the next reminder is claimed, and the webhook never comes."""
        claimed = "select bool_or(state = 'CLAIMED') from fleet.reminders where order_id = %s"
        self._wait(claimed, self._order(name), what="a claim")
        self.fleet.sandbox.stripe_webhooks(lose=1.0)
        self.fleet.sandbox.pay(self._session(name))
        self.fleet.sandbox.stripe_webhooks()
        self.fleet.sandbox.clear_faults()

    def follows(self, name: str) -> None:
        """Somebody follows the link in the last reminder, and presses the button there."""
        address = re.compile(re.escape(self.fleet.stack.environment["PUBLIC_URL"]) + r"/r/[\w-]+")
        found = address.search(self.fleet.sandbox.message(self.reminders_to(name)[-1].id).text)
        assert found is not None, "the reminder has no link"
        assert urllib3.request("GET", found.group(), redirect=False, retries=False).status == 200
        answer = urllib3.request("POST", found.group(), redirect=False, retries=False)
        assert answer.status == 303, answer.data
        assert answer.headers["Location"].endswith(f"/checkout/{self._session(name)}")

    def discontinue(self, product: str) -> None:
        """A product is not sold any more."""
        self.look.execute("update products set active = false where code = %s", [product])

    def beats_end(self) -> None:
        """Nobody ticks any more."""
        for name in BEATS:
            self.fleet.stack.children[name].kill()
        self._beating = False

    def beats_come_back(self) -> None:
        """Both tick again, and what was missed is caught up."""
        self.fleet.revive()
        self._beating = True
        self._wait(_TICKED, self.clock.now().replace(second=0, microsecond=0), ENTRY, what="the missed run")

    def reminders_to(self, name: str) -> list[MessageSummary]:
        """The e-mails that have reminded somebody, whatever the order."""
        messages = self.fleet.messages(self.people[name].email)
        return [each for each in messages if "REMINDER" in each.categories]

    def _order(self, name: str) -> object:
        return self.people[name].order_id

    def _session(self, name: str) -> str:
        return str(
            self._one("select stripe_checkout_session_id from orders where id = %s", self._order(name))
        )
