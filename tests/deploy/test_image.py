"""Dockerfile: what can be said of an image without an engine to build it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from typing import TYPE_CHECKING

from tests.deploy.composed import ROOT, read

if TYPE_CHECKING:
    from pathlib import Path

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
LAST_STAGE = DOCKERFILE.rsplit("\nFROM ", 1)[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
FOLDERS = sorted({name.split(".", 1)[0] for name in PROJECT["tool"]["setuptools"]["packages"]})


def _copied() -> list[str]:
    lines = re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    return [source for line in lines for source in line.split()]


def test_it_copies_what_exists_and_every_package() -> None:
    copied = _copied()
    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert set(FOLDERS) <= set(copied)


def test_nothing_that_is_copied_is_ignored() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == set(_copied())


def test_what_runs_was_built_before_and_installs_nothing() -> None:
    assert re.findall(r"^COPY (.+)$", LAST_STAGE, re.MULTILINE) == ["--from=build /opt/fleet /opt/fleet"]
    assert [line.split()[0] for line in re.findall(r"^RUN (.+)$", LAST_STAGE, re.MULTILINE)] == ["useradd"]
    assert "venv --without-pip /opt/fleet" in DOCKERFILE
    installs = re.findall(r"pip\S*(?: --python \S+)? install (.+?)(?: \\\n|\n)", DOCKERFILE)
    assert len(installs) == 3
    for options in installs:
        assert "--no-cache-dir" in options
        assert "--require-hashes" in options or "--no-index" in options, options


def test_it_does_not_run_as_root() -> None:
    user = re.search(r"^USER (\d+)$", LAST_STAGE, re.MULTILINE)
    assert user is not None
    assert int(user[1]) > 0


def test_images_are_named_without_a_registry() -> None:
    images = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    images += [service["image"] for service in read()["services"].values()]
    for image in images:
        first, slash, _ = image.partition("/")
        assert not (slash and re.search(r"[.:]|^localhost$", first)), image


def test_the_build_tool_comes_out_of_the_lock_with_its_hashes() -> None:
    command = re.search(r"sed -n '([^']+)' (\S+) >", DOCKERFILE)
    assert command is not None
    completed = subprocess.run(
        ["sed", "-n", command[1], command[2]],  # noqa: S607 - as the image's shell finds it
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    first, *hashes = completed.stdout.splitlines()
    assert re.fullmatch(r"setuptools==\S+ \\", first)
    assert hashes
    assert all(line.startswith("    --hash=sha256:") for line in hashes)


def test_the_wheel_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    _copy_sources(tmp_path / "src")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path)]
    subprocess.run([*build, *options, str(tmp_path / "src")], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    sources = {str(path.relative_to(tmp_path / "src")) for path in _files(tmp_path / "src")}
    assert sources - packed == set()


def _copy_sources(to: Path) -> None:
    to.mkdir()
    (to / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    (to / "README.md").write_bytes((ROOT / "README.md").read_bytes())
    for path in _files(ROOT):
        target = to / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())


def _files(root: Path) -> list[Path]:
    found = [path for folder in FOLDERS for path in (root / folder).rglob("*") if path.is_file()]
    return [path for path in found if "__pycache__" not in path.parts]
