"""What is handed to operators fits the code: images are pinned, files are there, dashboards show metrics that exist."""

import json
import re
from pathlib import Path

import pytest

from tests.project.tree import ROOT, files, python_files

COMPOSE = ROOT / "docker-compose.yml"
DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
HISTOGRAM = ("_bucket", "_count", "_sum")


def exported() -> set[str]:
    """Names of all metrics: those of the processes, and those that the verbs count for each market."""
    python = "\n".join(path.read_text() for path in python_files("dispatch"))
    lua = "\n".join(path.read_text() for path in files() if path.suffix == ".lua")
    found = set(re.findall(r"(?:GaugeMetricFamily|Gauge)\(\s*\"(dispatch_\w+)\"", python))
    found |= {f"{name}_total" for name in re.findall(r"Counter\(\s*\"(dispatch_\w+)\"", python)}
    found |= {name + end for name in re.findall(r"Histogram\(\s*\"(dispatch_\w+)\"", python) for end in HISTOGRAM}
    found |= {f"dispatch_{name}_total" for name in re.findall(r"'(?:count|sum)\.(\w+)'", lua)}
    return found | {f"dispatch_{group}" for group in re.findall(r"'(bookings|searching|proposals|providers)\.", lua)}


def metrics_in(text: str) -> set[str]:
    return set(re.findall(r"\bdispatch_[a-z_]+\b", text))


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.name)
def test_a_dashboard_shows_metrics_that_exist(dashboard: Path) -> None:
    queries = [target["expr"] for panel in json.loads(dashboard.read_text())["panels"] for target in panel["targets"]]
    assert queries
    assert metrics_in(" ".join(queries)) - exported() == set()


def test_the_metrics_to_watch_exist() -> None:
    named = metrics_in((ROOT / "docs/howto/run-in-production.md").read_text())
    assert {name for name in named if not {name, f"{name}_bucket"} & exported()} == set()


def test_every_image_is_pinned() -> None:
    images = re.findall(r"^\s*image: (\S+)", COMPOSE.read_text(), re.MULTILINE)
    images += [line.split()[1] for line in (ROOT / "deploy/Dockerfile").read_text().splitlines() if line.startswith("FROM ")]
    assert len(images) >= 5
    assert [image for image in images if not re.fullmatch(r"[a-z0-9./-]+:v?\d[\w.-]*", image)] == []


def test_every_service_that_was_promised_is_there_and_watched() -> None:
    services = COMPOSE.read_text().partition("\nservices:\n")[2].partition("\nsecrets:\n")[0]
    blocks = dict(re.findall(r"^  (\w+):\n((?:    .*\n|\n)+)", services, re.MULTILINE))
    assert sorted(blocks) == ["api", "gateway", "grafana", "prometheus", "valkey", "worker"]
    assert [name for name, block in blocks.items() if "healthcheck:" not in block and "<<: *engine" not in block] == []


def test_the_store_of_compose_keeps_the_profile_durable() -> None:
    from dispatch.store.profile import NEVER_EVICT, ON_DISK

    text = COMPOSE.read_text()
    assert [rule.name for rule in (NEVER_EVICT, *ON_DISK) if f"--{rule.name} {rule.right}" not in text] == []


def test_every_file_that_compose_mounts_is_there() -> None:
    mounted = re.findall(r"- \./([\w./-]+):", COMPOSE.read_text())
    assert mounted
    assert [name for name in mounted if not (ROOT / name).exists()] == []


def test_luacheck_knows_the_tables_of_the_prelude() -> None:
    from dispatch.store import functions

    names = {name.strip() for name in f"{functions.HOUSES}, {functions.ROOMS}".split(",")}
    assert names - set(re.findall(r'"(\w+)"', (ROOT / ".luacheckrc").read_text())) == set()
