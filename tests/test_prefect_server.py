"""The way to a shared server: a real server, worker and deployment, each a process of its own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from lake.pipelines import pipelines
from lake.store import Lake
from lake.synth.photons import Emitter, Scene, write_event_list

REPO = Path(__file__).parent.parent
PATIENCE_S = 170.0
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what a checkout needs to be deployed."""
    copy = tmp_path / "project"
    for name in ("flows", "lake", "schemas", "sql"):
        shutil.copytree(REPO / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPO / "prefect.yaml", copy)
    return copy


@pytest.fixture
def environment(tmp_path: Path, project: Path) -> dict[str, str]:
    """Variables of every process: a home of its own, a free port, nobody called."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "LAKE_"))}
    return kept | {
        "PREFECT_HOME": str(tmp_path / "home"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PYTHONPATH": str(project),
        "DO_NOT_TRACK": "1",
    }


@pytest.fixture
def start(tmp_path: Path, project: Path, environment: dict[str, str]) -> Iterator[Start]:
    """`prefect …` in the background; it and all its children end with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*words: str) -> subprocess.Popen[bytes]:
        with (tmp_path / f"{words[0]}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "prefect", *words],
                cwd=project, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        started.append(process)
        return process

    yield run
    for process in reversed(started):
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        for kill in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, kill)
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()


def within(condition: Callable[[], Any], what: str) -> Any:
    """The first true value of a condition."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with suppress(OSError):
            if value := condition():
                return value
        time.sleep(0.2)
    raise AssertionError(f"not within {PATIENCE_S:.0f} s: {what}")


def asked(environment: dict[str, str], path: str, body: dict[str, Any] | None = None) -> Any:
    """What the server answers."""
    data = None if body is None else json.dumps(body).encode()
    words = {"Content-Type": "application/json"}
    request = urllib.request.Request(environment["PREFECT_API_URL"] + path, data, words)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def listening(*processes: subprocess.Popen[bytes]) -> set[str]:
    """Addresses at which these processes and their children listen."""
    family = [p for process in processes for p in _family(process.pid)]
    return {c.laddr.ip for p in family for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN}


def _family(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def command(project: Path, environment: dict[str, str], *words: str) -> None:
    """`prefect …` to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "prefect", *words],
        cwd=project, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"prefect {words[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_worker_runs_the_deployment_and_the_lake_has_every_good_file(
    tmp_path: Path, project: Path, environment: dict[str, str], start: Start
) -> None:
    n_photons = 0
    for i, name in enumerate(("one.fits", "two.fits")):
        scene = Scene("nicer", 100.0, (Emitter(2.0),), obs_id=f"9100{i}")
        n_photons += write_event_list(tmp_path / name, scene, seed=i).n_photons
    (tmp_path / "broken.fits").write_bytes((tmp_path / "one.fits").read_bytes()[:4000])
    root = tmp_path / "lakehouse"
    paths = [str(tmp_path / name) for name in ("one.fits", "broken.fits", "two.fits")]

    port = environment["PREFECT_API_URL"].rpartition(":")[2].partition("/")[0]
    server = start("server", "start", "--host", "127.0.0.1", "--port", port, "--no-ui")
    within(lambda: asked(environment, "/health"), "the server's health")
    command(project, environment, "--no-prompt", "work-pool", "create", "lightlake", "--type", "process")
    command(project, environment, "--no-prompt", "deploy", "--all")
    worker = start("worker", "start", "--pool", "lightlake", "--type", "process")
    parameters = json.dumps({"root": str(root), "paths": paths})
    limits = ["--watch", "--watch-interval", "1", "--watch-timeout", f"{PATIENCE_S:.0f}"]
    command(project, environment, "deployment", "run", "lightlane/ingest", "--params", parameters, *limits)
    assert listening(server, worker) == {"127.0.0.1"}

    (run,) = asked(environment, "/flow_runs/filter", {})
    assert run["state_type"] == "COMPLETED"
    lake = Lake(str(root))
    assert lake.sql("select count(*) as n from lightlane.photons").pl()["n"][0] == n_photons
    rejected = lake.sql("select uri from lake.rejected").pl()["uri"].to_list()
    assert [Path(uri).name for uri in rejected] == ["broken.fits"]
    keys = {artifact["key"] for artifact in asked(environment, "/artifacts/filter", {})}
    assert {"lightlane-counts", "lightlane-skipped"} <= keys
    assert [p for p in (tmp_path / "home" / "storage").rglob("*") if p.is_file()] == []


def test_every_deployment_is_of_a_pipeline_and_keeps_no_pickled_result() -> None:
    words = yaml.safe_load((REPO / "prefect.yaml").read_text())
    deployed = {d["entrypoint"] for d in words["deployments"]}
    assert deployed
    assert deployed <= {f"flows/{name}.py:{name}" for name in pipelines()}
    for deployment in words["deployments"]:
        environment = deployment["work_pool"]["job_variables"]["env"]
        assert environment["PREFECT_RESULTS_PERSIST_BY_DEFAULT"] == "false"
        assert environment["PREFECT_RESULTS_DEFAULT_SERIALIZER"] == "json"
