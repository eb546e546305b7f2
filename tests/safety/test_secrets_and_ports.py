"""Who may reach us, what may be told of a secret, and a clock that goes back."""

import json
import os
import socket
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest

from lake import transaction
from lake.errors import Forbidden, LakeError
from lake.intake import commit, take_in
from lake.pipelines import PREFECT_AT_HOME
from lake.provenance import new_run
from lake.readers import read
from lake.redaction import without_secrets
from lake.storage import storage_at
from lake.store import Lake
from lake.synth.photons import Emitter, Scene, write_event_list
from tests.builders.lakes import COUNTS, counts
from tests.conftest import REPO
from tests.safety.hostile import file_rows

SECRET = "hunter2"
ADDRESSES = (
    f"s3://user:{SECRET}@bucket/lake",
    f"https://archive/a.fits?X-Amz-Signature={SECRET}",
    f"https://archive/a.fits?token={SECRET}&x=1",
    f"ftp://user:{SECRET}@host/a.fits",
)


def told(folder):
    """Files below a folder that hold the secret, in their bytes or their names."""
    files = [p for p in Path(folder).rglob("*") if p.is_file()]
    return [str(p) for p in files if SECRET.encode() in p.read_bytes() or SECRET in p.name]


def listening(pid):
    """Addresses at which a process and those below it listen."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return {c.laddr.ip for p in family for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN}


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_root_with_a_password_is_refused_without_repeating_it(address):
    with pytest.raises(LakeError, match="password or a query") as caught:
        storage_at(address)
    assert SECRET not in f"{caught.value!r} {caught.value} {vars(caught.value)}"


@pytest.mark.parametrize("text", [f"{a} is gone" for a in ADDRESSES] + [f"password={SECRET}", f"secret: {SECRET}"])
def test_no_text_keeps_a_secret(text):
    assert SECRET not in without_secrets(text)


@pytest.mark.parametrize("text", ["photons: 3 of 5", "/data/a=b/c.fits", "what?.fits", "s3://bucket/key", "at 12:30@x"])
def test_a_text_without_a_secret_stays_as_it_is(text):
    assert without_secrets(text) == text


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_reader_refuses_an_address(address):
    """Number 52, at the one door that all readers have; no file below it ever sees a name from outside."""
    for apart in (False, True):
        with pytest.raises(Forbidden) as caught:
            read(address, apart=apart)
        assert SECRET not in str(caught.value)


def test_a_secret_in_an_address_a_name_a_parameter_or_an_error_is_nowhere_in_the_lake(tmp_path):
    """Number 99, the lake's half."""
    path = tmp_path / f"a.pgm?X-Amz-Signature={SECRET}"
    path.write_bytes(b"P5\n1 1\n255\nx")
    broken = tmp_path / f"b.pgm?token={SECRET}"
    broken.write_bytes(b"P5\n1 1\n")
    own = Lake.create(tmp_path / "lake")
    parameters = {
        "password": SECRET, "where": ADDRESSES[0], "many": [ADDRESSES[1]], "deep": {"s3_token": SECRET, "a": 1},
        "path": Path(f"a?token={SECRET}"),
    }  # fmt: skip
    run = new_run("toy", parameters)
    kept = json.loads(run["parameters"])
    assert (kept["where"], kept["many"], kept["deep"]) == ("s3://bucket/lake", ["https://archive/a.fits"], {"a": 1})
    summary = commit(own, take_in(own, [str(path), str(broken), *ADDRESSES], [COUNTS], file_rows), run)
    assert (summary["new"], len(summary["skipped"])) == (1, 1 + len(ADDRESSES))
    assert take_in(own, [str(path)], [COUNTS], file_rows)[0].is_known
    with own.transaction("by hand") as tx:
        record = {"uri": ADDRESSES[2], "sha256": "0" * 64, "size": 1, "reader": "x"}
        tx.append(COUNTS, counts("z"), source=record)
        tx.reject(ADDRESSES[3], f"no answer from {ADDRESSES[3]}")
    assert own.sql("select count(*) as n from lake.sources").pl()["n"][0] == 2
    assert SECRET not in json.dumps(summary)
    assert told(tmp_path / "lake") == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_secret_is_nowhere_in_the_home_of_prefect(tmp_path):
    """Number 99, Prefect's half: a run, and runs that are refused for what they were given."""
    scene = Scene("nicer", 50.0, (Emitter(1.0),), obs_id="91000")
    write_event_list(tmp_path / "one.fits", scene, seed=1)
    (tmp_path / "two.fits").write_bytes((tmp_path / "one.fits").read_bytes()[:4000])
    home, root = tmp_path / "home", tmp_path / "lakehouse"
    environment = os.environ | {"PREFECT_HOME": str(home), "LAKE_ROOT": str(root), "AWS_SECRET_ACCESS_KEY": SECRET}
    command = [str(Path(sys.executable).with_name("lake")), "run", "lightlane"]

    def run(*words, **changes):
        return subprocess.run(
            [*command, *words], cwd=REPO, env=environment | changes, capture_output=True, text=True, check=False
        )

    files = [str(tmp_path / "one.fits"), str(tmp_path / "two.fits")]
    assert run(*files).returncode == 3
    assert run(*files, LAKE_ROOT=ADDRESSES[0]).returncode not in (0, 3)
    assert run("--param", f"token={SECRET}", *files).returncode not in (0, 3)
    assert run(ADDRESSES[1]).returncode not in (0, 3)
    assert any(home.rglob("*.db"))
    assert told(home) == []
    assert told(root) == []
    assert [p for p in (home / "storage").rglob("*") if p.is_file()] == []


@pytest.mark.timeout(200)
def test_prefects_own_server_listens_on_the_loopback_alone_and_wants_a_key(tmp_path):
    """Number 98: a run on a laptop."""
    code = (
        "import sys, http.client; from flows._server import Server; s = Server(); s.wait()\n"
        "link = http.client.HTTPConnection('127.0.0.1', s.port, timeout=10)\n"
        "link.request('POST', '/api/flows/filter', '{}', {'Content-Type': 'application/json', 'Origin': 'http://evil'})\n"
        "print(link.getresponse().status, flush=True); sys.stdin.read(); s.stop()"
    )
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    environment = kept | PREFECT_AT_HOME | {"PREFECT_HOME": str(tmp_path)}
    words = [sys.executable, "-c", code]
    with subprocess.Popen(words, cwd=REPO, env=environment, stdin=-1, stdout=-1) as process:
        assert process.stdout.readline() == b"401\n"
        assert listening(process.pid) == {"127.0.0.1"}
        process.stdin.close()


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_on_this_machine_listens_on_the_loopback_alone():
    """Number 98: Dask, as a worker's result is unpickled in the driver."""
    code = (
        "import sys\nfrom distributed import LocalCluster\nif __name__ == '__main__':\n"
        "    with LocalCluster(n_workers=1, host='127.0.0.1', dashboard_address='127.0.0.1:0'):\n"
        "        print('up', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=REPO, stdin=-1, stdout=-1, stderr=-3) as process:
        assert process.stdout.readline() == b"up\n"
        assert listening(process.pid) == {"127.0.0.1"}
        process.stdin.close()


def test_the_check_for_open_ports_sees_an_open_one():
    with socket.socket() as door:
        door.bind(("0.0.0.0", 0))
        door.listen()
        assert "0.0.0.0" in listening(os.getpid())


def test_results_are_json_and_not_kept():
    """Number 100; for deployments `test_prefect_server` looks at `prefect.yaml`."""
    assert PREFECT_AT_HOME["PREFECT_RESULTS_DEFAULT_SERIALIZER"] == "json"
    assert PREFECT_AT_HOME["PREFECT_RESULTS_PERSIST_BY_DEFAULT"] == "false"


def test_a_clock_one_day_back_changes_no_order(tmp_path, monkeypatch):
    """Number 106: order is by number; times never run backwards, so time travel finds every commit."""
    own = Lake.create(tmp_path / "lake")

    class Back(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) - timedelta(days=1)

    for place in range(4):
        if place == 2:
            monkeypatch.setattr(transaction, "datetime", Back)
        with own.transaction("tick", catalog=False) as tx:
            tx.append(COUNTS, counts(str(place)), source={"uri": str(place), "sha256": f"{place:064}"})
    times = [c["time"] for c in own.snapshot.commits]
    assert times == sorted(set(times))
    assert len(times) == 4
    assert [own.at(time).number for time in times] == [0, 1, 2, 3]
