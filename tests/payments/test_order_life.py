"""Whatever is told of an order, in any order, late and again: it ends where Stripe's own object is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, settings

from tests.payments.order_life import Life, Lived, lives

if TYPE_CHECKING:
    from tests.payments.till import Till


def live(till: Till, examples: int, *, by_chance: bool) -> None:
    """Live some lives: always the same, or others each time."""

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=not by_chance,
        database=None,
        # A life that fails is made shorter for minutes, which is no use where nobody waits for it.
        phases=tuple(Phase) if by_chance else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(lives())
    def check(life: Life) -> None:
        Lived(till, life).live()

    check()


def test_any_order_of_what_is_told_ends_where_stripe_is(till: Till) -> None:
    live(till, examples=25, by_chance=False)
