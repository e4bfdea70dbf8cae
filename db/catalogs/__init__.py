"""The platform's two schemas as they are meant to be, kept as data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from db.catalog import Catalog

_FOLDER = Path(__file__).parent


def load(name: Literal["v1", "v2"]) -> Catalog:
    """Give the catalogue that ``public`` has in a version of the platform, without the fleet's part.

    Args:
        name: The version.
    """
    catalog: Catalog = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return catalog
