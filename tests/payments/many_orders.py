"""Orders by the thousand, few of them due: for the plan and the time of the statement that finds these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

# Twenty people to fifty orders. One person in 120 is suspended, with an order that waits to be paid; so do
# orders of people who are not. Most of these were reminded of up to eight times, a third of them three days
# ago, and so was much that is paid by now.
_FILL: Final = (
    "set local session_replication_role = replica",
    """
    create temporary table people on commit drop as
    select n, gen_random_uuid() as id, n % 120 = 7 as suspended from generate_series(1, :orders * 2 / 5) n
    """,
    "insert into auth.users (id, email) select id, 'client' || n || '@example.com' from people",
    """
    insert into public.profiles (id, full_name, status)
    select id, 'Camille Exemple', cast(case when suspended then 'SUSPENDED' else 'ACTIVE' end as user_status)
    from people
    """,
    """
    insert into public.orders (user_id, product_id, amount, currency, status, created_at)
    select person.id, product.id, 99900, 'USD',
      cast(case when person.suspended and turn = 1 or (person.n + turn) % 21 = 3 then 'PENDING'
        when turn % 9 = 5 then 'CANCELLED' else 'PAID' end as order_status),
      now() - make_interval(hours => (person.n * 7 + turn * 131) % 2000)
    from people person
    cross join lateral generate_series(1, 2 + person.n % 2) turn
    join (select id, row_number() over (order by code) as place from public.products) product
      on product.place = 1 + (person.n + turn) % (select count(*) from public.products)
    """,
    """
    insert into fleet.reminders (order_id, number, user_id, last, claimed_at, due_at, state, token, amount,
      currency, sent_at)
    select o.id, turn, o.user_id, false, at.at, at.at, 'SENT', gen_random_uuid(), 99900, 'USD', at.at
    from public.orders o
    join people person on person.id = o.user_id
    cross join lateral (select 1 + person.n / 120 % 8 as reminders) had
    cross join lateral generate_series(1, had.reminders) turn
    cross join lateral (
      select now() - make_interval(days => 3 * (had.reminders - turn) + 1 + person.n / 120 % 3) as at) at
    where person.suspended and o.status = 'PENDING' and person.n / 120 % 10 > 0 or person.n % 17 = 4
    """,
    """
    insert into public.payment_reminders (user_id, order_id, sent_via, sent_at)
    select user_id, order_id, channel, sent_at
    from fleet.reminders, unnest('{EMAIL,IN_APP}'::notification_channel[]) channel
    """,
)
_ANALYZED: Final = "analyze public.orders, public.profiles, public.payment_reminders, fleet.reminders"


def fill(application: sessionmaker[Session], orders: int) -> None:
    """Make about so many orders, as the owner, who must be a superuser: their triggers are not called."""
    with application.begin() as session:
        for statement in _FILL:
            session.execute(text(statement), {"orders": orders} if ":orders" in statement else {})
    with application() as session:
        session.execute(text(_ANALYZED))
        session.commit()
