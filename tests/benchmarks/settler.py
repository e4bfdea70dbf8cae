"""A process that settles: ``python -m tests.benchmarks.settler URL SEED ORDER...``; it says which are done.

It tells of all orders in an order of its own, of each what was said before the payment and the payment.
"""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy.orm import sessionmaker

from db.engine import make_engine
from services.payments.applying import Learned, apply
from tests.payments.till import declined, opened, paid
from workers.dev.application import Client


def main(url: str, seed: str, *order_ids: str) -> None:
    chance = random.Random(int(seed))  # noqa: S311 - any order does
    sessions = sessionmaker(make_engine(url, pool_size=1))
    for order_id in chance.sample(order_ids, len(order_ids)):
        client = Client(uuid4(), "camille@example.com", UUID(order_id))
        session = replace(opened(client, user_id=None), session_id=f"cs_test_{UUID(order_id).hex}")
        for checkout in (declined(session), paid(session), declined(session), paid(session)):
            with sessions.begin() as transaction:
                apply(transaction, checkout, chance.choice(list(Learned)), datetime.now(UTC))
        sys.stdout.write(f"{order_id}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
