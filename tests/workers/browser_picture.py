"""The picture of the operators' overview in README.md: an hour of made-up work, in a real, headless Chromium.

``PICTURES=write`` takes it anew; without it, what is there is looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schedules.timetable import timetable
from tests.browser import Browser
from tests.notifications.pictured import PICTURES
from tests.notifications.pipeline import execute
from tests.photographs import WRITE, shown, take
from tests.workers.browser_ops import DRAWN, sign_in
from tests.workers.ops_desk import leaving, operator, published

if TYPE_CHECKING:
    from pathlib import Path

    from tests.notifications.pipeline import Clock
    from tests.workers.operators import Operator

__all__ = ["leaving", "operator", "published"]  # fixtures

WIDTH, HEIGHT = 1280, 900
_PICTURE = PICTURES / "overview.webp"

# Busier and quieter minutes, mostly delivered, some opened, a few refused; WhatsApp and SMS come seldom.
_TRIES = """
    insert into fleet.attempts (delivery_id, number, channel, provider, opened_at, closed_at, outcome, code,
      provider_message_id)
    select gen_random_uuid(), 1, c.channel, 'x', at, at,
      case when n % c.fails = 0 then 'REFUSED' else 'ACCEPTED' end,
      case when n % c.fails = 0 then c.code end, n::text
    from (values ('EMAIL', 1400, 97, 'http_400'), ('WHATSAPP', 420, 41, '63003'), ('SMS', 110, 53, '30006'))
      as c(channel, count, fails, code)
    cross join lateral generate_series(1, c.count) n
    cross join lateral (select timestamptz '{now}' - interval '1 hour' * ((n - 0.5) / c.count)
      + interval '80 s' * sin(n * 7.0 / c.count) as at) t
"""
_RECEIPTS = """
    insert into fleet.receipts (token, delivery_id, state, delivered_at, opened_at)
    select token, delivery_id, case when n % 3 = 0 then 'OPENED' else 'DELIVERED' end, opened_at, opened_at
    from (select *, provider_message_id::int as n from fleet.attempts where outcome = 'ACCEPTED') a
    where n % 40 > 0
"""
_SETTLED = """
    insert into fleet.settlements (order_id, amount, currency, learned, settled_at)
    select gen_random_uuid(), 99900, 'USD', case when n = 7 then 'POLL' else 'WEBHOOK' end, '{now}'
    from generate_series(1, 43) n
"""
_REMINDED = """
    insert into fleet.reminders (order_id, number, user_id, claimed_at, due_at, state, amount, currency,
      sent_at, clicked_at, paid_at)
    select gen_random_uuid(), 1, gen_random_uuid(), at, at, 'SENT', 99900, 'USD', at,
      case when n % 5 < 3 then at end, case when n % 5 < 2 then at end
    from generate_series(1, 64) n cross join lateral (select timestamptz '{now}' - n * interval '8 h' as at) t
"""
_RUN = """
    insert into fleet.schedule (name, since, started_at, finished_at, took, result, runs)
    values ('{name}', '{now}', '{now}', '{now}', '20 ms', 'nothing to do', 1)
"""


def test_the_overview_has_its_picture(
    operator: Operator, owner_url: str, clock: Clock, tmp_path: Path
) -> None:
    runs = [_RUN.format(name=entry.name, now=clock.now) for entry in timetable()]
    work = (_TRIES, _RECEIPTS, _SETTLED, _REMINDED)
    execute(owner_url, *(each.format(now=clock.now) for each in work), *runs)
    with Browser(tmp_path, WIDTH) as browser:
        sign_in(browser, operator)
        browser.wait(lambda: browser.run(DRAWN))
        browser.wait(lambda: "http_400" in browser.text())
        if WRITE:
            take(browser, _PICTURE, WIDTH, HEIGHT)
        assert shown(browser, _PICTURE) == pytest.approx((WIDTH, HEIGHT))
