"""Programs that no wheel holds, and that tests of a part want."""

from __future__ import annotations

import os
import shutil

import pytest


def needed(name: str, package: str) -> str:
    """Where a program is, or a skipped test where the machine has none; in CI that is a failure.

    Args:
        name: The program's.
        package: Debian's, that has it.
    """
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        why = f"no {name} on this machine: apt-get install {package}"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    return found
