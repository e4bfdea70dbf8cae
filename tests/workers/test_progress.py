"""Progress is shown in a terminal, on standard error, and nowhere else."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console

from workers.commands import progress as shown
from workers.commands.progress import progress

if TYPE_CHECKING:
    import pytest


def work() -> None:
    with progress() as tell:
        for done in range(4):
            tell("rows of orders", done, 3)


def test_nothing_is_shown_where_output_is_piped(capsys: pytest.CaptureFixture[str]) -> None:
    work()
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "")


def test_a_bar_is_shown_in_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = StringIO()
    monkeypatch.setattr(shown, "errors", Console(file=terminal, force_terminal=True, width=100))
    work()
    assert "rows of orders" in terminal.getvalue()
    assert "3/3" in terminal.getvalue()
    assert capsys.readouterr().out == ""
