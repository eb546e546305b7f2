"""Fixtures of all tests: the real files, and a quiet, networkless process."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).parent.parent
DATA = Path(os.environ.get("LIGHTLAKE_DATA", REPO.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def data() -> Callable[[str], Path]:
    """A real file by its path below LIGHTLAKE_DATA; the test is left out where it is absent."""

    def find(name: str) -> Path:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"no real file {name} (set LIGHTLAKE_DATA)")
        return path

    return find


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """Prefect's server on a database of its own, once for all tests."""
    from prefect.testing.utilities import prefect_test_harness

    from lake.pipelines import PREFECT_AT_HOME

    with pytest.MonkeyPatch.context() as patch:
        for name, value in PREFECT_AT_HOME.items():
            patch.setenv(name, value)
        with prefect_test_harness(server_startup_timeout=180):
            yield


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
