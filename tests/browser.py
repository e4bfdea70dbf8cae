"""A headless Chromium that clicks: driven over its own pipe, and asked what it saw, said and loaded."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import time
from typing import TYPE_CHECKING, Any, TypeVar

from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Self

T = TypeVar("T")

_PATIENCE = 30.0
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--remote-debugging-pipe",
)


class Browser:
    """One tab. A context manager.

    Args:
        folder: For its profile and its log.
        width: Of the screen, in CSS pixels; below 500 it is a phone's.
    """

    def __init__(self, folder: Path, width: int) -> None:
        program = (
            shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        )
        assert program, "these tests need Chromium: apt-get install chromium"
        self.complaints: list[str] = []
        """What the console said of itself: warnings, errors, uncaught exceptions."""
        self.requested: list[str] = []
        """Every URL that was asked for."""
        self._width = width
        self._unread = b""
        self._events: list[str] = []
        self._calls = 0
        self._session = ""
        folder.mkdir(parents=True, exist_ok=True)
        theirs, self._to = os.pipe()
        self._from, their_answers = os.pipe()
        log = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        # Chromium reads its orders from descriptor 3 and answers on 4, which may be pipes of ours already.
        self._pid = os.posix_spawn(
            program,
            [program, *_OPTIONS, f"--user-data-dir={folder / 'profile'}", "about:blank"],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, theirs, 103),
                (os.POSIX_SPAWN_DUP2, their_answers, 104),
                (os.POSIX_SPAWN_DUP2, 103, 3),
                (os.POSIX_SPAWN_DUP2, 104, 4),
                (os.POSIX_SPAWN_CLOSE, 103),
                (os.POSIX_SPAWN_CLOSE, 104),
                (os.POSIX_SPAWN_OPEN, 1, str(folder / "log"), log, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setpgroup=0,
        )
        os.close(theirs)
        os.close(their_answers)

    def __enter__(self) -> Self:
        try:
            self._attach()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def open(self, url: str) -> None:
        """Go to a page and wait until it is loaded."""
        self._leave(lambda: self._call("Page.navigate", url=url))

    def click(self, selector: str) -> None:
        """Click where a person would, and wait until the page that follows is loaded."""
        place = self.run(
            f"const box = document.querySelector({json.dumps(selector)});"
            "box.scrollIntoView({block: 'center'}); const r = box.getBoundingClientRect();"
            "return {x: r.x + r.width / 2, y: r.y + r.height / 2};"
        )

        def press() -> None:
            for kind in ("mousePressed", "mouseReleased"):
                self._call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

        self._leave(press)

    def run(self, script: str) -> Any:
        """The value that a function's body in JavaScript returns in the page."""
        answer = self._call("Runtime.evaluate", expression=f"(() => {{{script}}})()", returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def text(self) -> str:
        """What can be read on the page."""
        return str(self.run("return document.body.innerText;"))

    def url(self) -> str:
        """Where the tab is."""
        return str(self.run("return location.href;"))

    def is_too_wide(self) -> bool:
        """Whether the page must be scrolled sideways."""
        return bool(self.run("const e = document.documentElement; return e.scrollWidth > e.clientWidth;"))

    def wait(self, condition: Callable[[], T], seconds: float = _PATIENCE) -> T:
        """The first true value of a condition on the page."""
        return wait_for(condition, seconds)

    def picture(self, path: Path) -> None:
        """Save what is on the screen."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot")["data"]))

    def _attach(self) -> None:
        tabs = self._call("Target.getTargets")["targetInfos"]
        tab = next(each["targetId"] for each in tabs if each["type"] == "page")
        self._session = self._call("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable")
        screen = {"width": self._width, "height": 900, "deviceScaleFactor": 1, "mobile": self._width < 500}
        self._call("Emulation.setDeviceMetricsOverride", **screen)

    def _end(self) -> None:
        os.close(self._to)
        os.close(self._from)
        os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def _leave(self, act: Callable[[], object]) -> None:
        self._events.clear()
        act()
        deadline = time.monotonic() + _PATIENCE
        while "Page.loadEventFired" not in self._events:
            self._hear(deadline)

    def _call(self, method: str, **params: Any) -> Any:
        self._calls += 1
        order: dict[str, Any] = {"id": self._calls, "method": method, "params": params}
        if self._session:
            order["sessionId"] = self._session
        os.write(self._to, json.dumps(order).encode() + b"\0")
        deadline = time.monotonic() + _PATIENCE
        while True:
            answer = self._hear(deadline)
            if answer.get("id") == self._calls:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def _hear(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._from], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "Chromium is silent"
            chunk = os.read(self._from, 65536)
            assert chunk, "Chromium has ended; see its log"
            self._unread += chunk
        said, self._unread = self._unread.split(b"\0", 1)
        message: dict[str, Any] = json.loads(said)
        if "method" in message:
            self._note(message["method"], message["params"])
            self._events.append(message["method"])
        return message

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requested.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in {"warning", "error"}:
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif method == "Runtime.consoleAPICalled" and params["type"] in {"warning", "error", "assert"}:
            self.complaints.append(str(params["args"]))
