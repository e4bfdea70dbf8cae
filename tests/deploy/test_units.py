"""The units of systemd say the same as docker-compose.yml, and their commands are the program's."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest
import typer.main
from typer.core import TyperGroup

from tasks import wakeups
from tests.deploy.composed import BINARIES, ROOT, fleet_services, seconds, secret_files, services
from tests.programs import needed
from workers.cli import app

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ROOT / "docs/deploy/systemd"
COMMON = "fleet-.service.d/common.conf"
INSTALLED = "/opt/fleet/bin/fleet"
WORKER = "fleet-worker@.service"
UNITS = sorted(path.name for path in FOLDER.glob("*.service"))
GROUPS = {path.stem: path.read_text("utf-8").strip() for path in sorted(FOLDER.glob("workers/*.env"))}

_COMMAND = re.compile(rf"{INSTALLED} ([\w ${{}}.-]+)")
_SECTION = re.compile(r"\[(\w+)\]")

Unit = dict[str, list[str]]


def parse(name: str) -> Unit:
    """The values of each key, as ``Section.Key``; a key may come several times, and each adds."""
    found: Unit = defaultdict(list)
    section = ""
    for line in (FOLDER / name).read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if match := _SECTION.fullmatch(line):
            section = match[1]
            continue
        key, equals, value = line.partition("=")
        assert equals, f"{name}: {line}"
        found[f"{section}.{key}"].append(value)
    return found


def listed(unit: Unit, key: str) -> set[str]:
    """The words of all values of a key."""
    return {word for value in unit[key] for word in value.split()}


def composed_as(unit: str) -> str:
    """The service of the compose file that a unit is."""
    name = unit.removeprefix("fleet-").removesuffix(".service")
    return "worker-messages" if name == "worker@" else name


def commands(*keys: str) -> list[list[str]]:
    """What the units have the program do, one for each group of queues."""
    found = []
    for name in UNITS:
        unit = parse(name)
        for words in _COMMAND.findall("\n".join(line for key in keys for line in unit[f"Service.{key}"])):
            groups = GROUPS.values() if name == WORKER else [""]
            queues = [group.removeprefix("QUEUES=") for group in groups]
            found += [words.replace("${QUEUES}", these).split() for these in queues]
    return found


@pytest.mark.parametrize("words", commands("ExecStartPre", "ExecStart"), ids=" ".join)
def test_the_commands_are_the_programs(words: list[str]) -> None:
    command = typer.main.get_command(app)
    context = command.make_context("fleet", [], resilient_parsing=True)
    rest = list(words)
    while isinstance(command, TyperGroup):
        found = command.get_command(context, rest[0])
        assert found is not None, f"there is no command {' '.join(words)}"
        command, rest = found, rest[1:]
    command.make_context(words[0], rest)


def test_they_do_what_the_services_do() -> None:
    theirs = [
        service["command"] if "entrypoint" not in service else shlex.split(service["command"][0])[2:6]
        for name, service in fleet_services().items()
        if name != "sandbox"
    ]

    def without_addresses(words: list[str]) -> tuple[str, ...]:
        return tuple(word for word in words if word not in {"0.0.0.0", "127.0.0.1"})  # noqa: S104 - left out

    assert sorted(map(without_addresses, commands("ExecStart"))) == sorted(map(without_addresses, theirs))


def test_the_workers_share_all_queues_between_them_by_the_same_groups() -> None:
    theirs = {
        name.removeprefix("worker-"): f"QUEUES={service['command'][2]}"
        for name, service in services().items()
        if name.startswith("worker-")
    }
    assert theirs == GROUPS
    queues = [queue for group in GROUPS.values() for queue in group.removeprefix("QUEUES=").split(",")]
    assert sorted(queues) == sorted(wakeups.QUEUES)


@pytest.mark.parametrize("name", UNITS)
def test_each_has_the_secrets_and_the_limits_of_its_service(name: str) -> None:
    unit, service = parse(name), services()[composed_as(name)]
    expected = secret_files(service)
    if name == "fleet-migrate.service":
        expected |= secret_files(services()["role"])
    folder = "/etc/fleet/secrets/"
    assert dict(value.split(":") for value in unit["Service.LoadCredential"]) == {
        target: folder + file for target, file in expected.items()
    }
    limits = service["deploy"]["resources"]["limits"]
    assert unit["Service.MemoryMax"] == [limits["memory"]]
    assert unit["Service.CPUQuota"] == [f"{float(limits['cpus']):.0%}"]
    assert unit["Service.TasksMax"] == [str(limits["pids"])]
    if "stop_grace_period" in service:
        assert unit["Service.TimeoutStopSec"] == [str(seconds(service["stop_grace_period"]))]
        assert unit["Service.Restart"] == ["always"]


def test_none_can_write_or_gain_rights() -> None:
    common = parse(COMMON)
    for key in ("DynamicUser", "NoNewPrivileges", "PrivateTmp", "RestrictSUIDSGID"):
        assert common[f"Service.{key}"] == ["yes"], key
    assert common["Service.ProtectSystem"] == ["strict"]
    assert common["Service.CapabilityBoundingSet"] == [""]
    # What comes later wins, and this comes after the units.
    overridden = {(name, key) for name in UNITS for key in parse(name) if key in common}
    assert {key for _, key in overridden} <= {"Service.EnvironmentFile"}


def test_what_makes_work_stops_first_and_the_ingress_last() -> None:
    worker = parse(WORKER)
    assert {"fleet-relay.service", "fleet-beat.service"} <= listed(worker, "Unit.Before")
    assert "fleet-ingress.service" in listed(worker, "Unit.After")
    for name in set(UNITS) - {"fleet-migrate.service"}:
        assert "fleet-migrate.service" in listed(parse(name), "Unit.After"), name
        assert listed(parse(name), "Unit.Requires") == {"fleet-migrate.service"}, name


def test_the_target_starts_and_stops_them_all() -> None:
    instances = {f"fleet-worker@{group}.service" for group in GROUPS}
    assert listed(parse("fleet.target"), "Unit.Wants") == {*UNITS, *instances} - {WORKER}
    for name in UNITS:
        assert parse(name)["Unit.PartOf"] == ["fleet.target"]


def test_systemd_understands_them(tmp_path: Path) -> None:
    units = tmp_path / "units"
    shutil.copytree(FOLDER, units)
    for path in units.glob("*.service"):
        path.write_text(path.read_text("utf-8").replace(INSTALLED, str(BINARIES / "fleet")), "utf-8")
    names = ["fleet.target", *(name for name in UNITS if name != WORKER)]
    names += [f"fleet-worker@{group}.service" for group in GROUPS]
    verified = subprocess.run(
        [needed("systemd-analyze", "systemd"), "verify", *(str(units / name) for name in names)],
        env={"SYSTEMD_UNIT_PATH": f"{units}:", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    own = [line for line in verified.stderr.splitlines() if "fleet" in line]
    assert (verified.returncode, own) == (0, [])
