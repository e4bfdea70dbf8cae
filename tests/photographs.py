"""Pictures of pages that the docs show: taken, and looked at."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser import Browser

WRITE = os.environ.get("PICTURES") == "write"
_QUALITY = 60


def take(browser: Browser, picture: Path, width: int, height: int) -> None:
    """Save the upper part of the page as WebP, which Git hosts show and which is small."""
    picture.parent.mkdir(exist_ok=True)
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    told = browser._call(
        "Page.captureScreenshot", format="webp", quality=_QUALITY, clip=clip, captureBeyondViewport=True
    )
    picture.write_bytes(base64.b64decode(told["data"]))


def shown(browser: Browser, picture: Path) -> tuple[int, int]:
    """Width and height of a picture, as the browser shows it."""
    browser.open(picture.as_uri())
    size = browser.run("const i = document.images[0]; return [i.naturalWidth, i.naturalHeight];")
    return size[0], size[1]
