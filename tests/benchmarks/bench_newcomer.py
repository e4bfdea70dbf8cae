"""A newcomer's path, as docs/first-steps.md tells it, from the clone to a mended address, each step timed.

Everything is real: git, make and pip in a folder of its own, ``fleet up`` as a person starts it, the page's
own SQL, and a Chromium that signs in, looks, and presses Retry. What is cloned is what is committed.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from tests.browser import Browser
from tests.deploy.reading import snippets
from tests.waiting import wait_for
from workers.dev.processes import ChildProcess
from workers.dev.stack import bare_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGE = "docs/first-steps.md"
MINUTE = 60.0
EVENT = "0d9f3b52-7a64-4c0e-b1a5-8c2f6e1d4a01"
SUBJECT = "Nouveau message"
FAILURE = "a[href*='code=5.1.1']"
_TOLD = re.compile(
    r"Mail that was sent +│ (http\S+).*"
    r"Operators' pages +│ (http\S+) +\((\S+) / (\S+)\).*"
    r"The same as its owner +│ (postgresql\S+)",
    re.DOTALL,
)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Time a step, and tell of it as soon as it is over."""
    begun = time.monotonic()
    yield
    sys.stdout.write(f"{time.monotonic() - begun:8.1f} s  {name}\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Newcomer:
    """Somebody with nothing but this machine.

    Attributes:
        folder: Where the clone goes.
        environment: Nothing of the fleet's, and nothing of this run's virtual environment.
    """

    folder: Path
    environment: dict[str, str]

    def type(self, *command: str | Path) -> str:
        """Run a command to its good end, and give what it prints."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=15 * MINUTE,
            check=False,
        )
        assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout


@dataclass(frozen=True)
class Told:
    """Where to look, as ``fleet up`` says it."""

    mail: str
    pages: str
    user: str
    password: str
    owner: str


def environment() -> dict[str, str]:
    """What programs need to run, and the way to the packages."""
    given = bare_environment(os.environ)
    given |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    mine = given.keys() - {"PYTHONPATH", "VIRTUAL_ENV"}
    return {name: given[name] for name in mine} | {"COLUMNS": "250"}


def fill(browser: Browser, **fields: str) -> None:
    for name, value in fields.items():
        browser.run(f"document.querySelector('input[name={name}]').value = {json.dumps(value)};")


def shows(browser: Browser, selector: str) -> bool:
    return bool(browser.run(f"return !!document.querySelector({json.dumps(selector)});"))


def opens(browser: Browser, url: str, selector: str) -> bool:
    browser.open(url)
    return shows(browser, selector)


def reads(browser: Browser, url: str, words: str) -> bool:
    browser.open(url)
    return words in browser.text()


def test_a_newcomers_path(tmp_path: Path) -> None:
    newcomer = Newcomer(tmp_path / "fleet", environment())
    newcomer.folder.mkdir()
    sys.stdout.write("\n\n")
    with step("in all"):
        with step("clone"):
            newcomer.type("git", "clone", "--quiet", ROOT, ".")
        with step("make demo, with what it installs"):
            told = newcomer.type("make", "demo", f"PYTHON={sys.executable}")
            assert "Nothing is missing, and nothing was sent twice." in told
        command: list[str | Path] = [newcomer.folder / ".venv/bin/fleet", "up"]
        log = tmp_path / "up.log"
        up = ChildProcess(command, log=log, env=newcomer.environment, cwd=newcomer.folder)
        try:
            with step("fleet up, until it says where to look"):
                found = wait_for(lambda: _TOLD.findall(up.output(40)), MINUTE)
            walk(newcomer, Told(*found[0]), tmp_path)
        finally:
            up.terminate(MINUTE, (signal.SIGINT,))


def walk(newcomer: Newcomer, told: Told, folder: Path) -> None:
    register, tell, break_it, mend = snippets(newcomer.folder / PAGE, "sql")
    with (
        psycopg.connect(told.owner, autocommit=True) as platform,
        Browser(folder / "chromium", 1280) as browser,
    ):
        with step("sign in to the operators' pages, as soon as they are there"):
            wait_for(lambda: opens(browser, told.pages, "input[name=password]"), MINUTE)
            fill(browser, user=told.user, password=told.password, name="Dominique Exemple")
            browser.click("main button")
            assert browser.url().endswith("/ops/")
        with step("a client, an event, its e-mail in the sandbox"):
            platform.execute(register.encode())
            platform.execute(tell.encode())
            wait_for(lambda: reads(browser, told.mail, SUBJECT), MINUTE)
        with step("the event's story at the command line"):
            typed = f"source .fleet/up/environment && .venv/bin/fleet explain {EVENT}"
            assert "SENT by sendgrid" in newcomer.type("bash", "-c", typed)
        with step("break the address, until the overview shows it"):
            platform.execute(break_it.encode())
            browser.open(told.pages)
            wait_for(lambda: shows(browser, FAILURE), MINUTE)
        with step("find why"):
            browser.click(FAILURE)
            browser.click("a[href*='/story/']")
            assert "The email account that you tried to reach does not exist." in browser.text()
            story = browser.url()
        with step("mend the address, retry from the page, delivered"):
            platform.execute(mend.encode())
            browser.click("a[href*='/do/retry']")
            assert "To the address that the account has now" in browser.text()
            fill(browser, why="the address is mended")
            browser.click("main form button")
            assert "retry by Dominique Exemple: the address is mended" in browser.text()
            wait_for(lambda: reads(browser, story, "SENT by sendgrid"), MINUTE)
