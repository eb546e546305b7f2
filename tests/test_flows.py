"""What every flow does alike: only a failure that may pass is tried again; progress counts the files of the run."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from flows._parts import PASSING
from lake.errors import Malformed
from lake.intake import take_in
from lake.store import Lake
from lake.synth.photons import Emitter, Scene, write_event_list

QUICK = PASSING | {"retry_delay_seconds": [0, 0, 0]}


def failing(*errors: Exception) -> tuple[list[int], Callable[[], str]]:
    """A task that raises these errors, one a try, and then succeeds; and its tries so far."""
    from prefect import task

    tries: list[int] = []

    @task(**QUICK)
    def stored() -> str:
        tries.append(len(tries))
        if len(tries) <= len(errors):
            raise errors[len(tries) - 1]
        return "stored"

    return tries, stored


@pytest.mark.usefixtures("prefect_server")
def test_a_store_that_does_not_answer_twice_is_asked_a_third_time() -> None:
    from prefect import flow

    tries, stored = failing(OSError("no answer"), TimeoutError("still none"))
    assert flow(lambda: stored(), name="passing")() == "stored"
    assert len(tries) == 3


@pytest.mark.usefixtures("prefect_server")
def test_a_file_that_does_not_fit_is_not_read_again() -> None:
    from prefect import flow

    tries, stored = failing(Malformed("bad.fits", "magic", "begins with nothing"))
    with pytest.raises(Malformed, match=r"bad\.fits"):
        flow(lambda: stored(), name="failing")()
    assert len(tries) == 1


@pytest.fixture
def lists(tmp_path: Path) -> list[str]:
    """Three short event lists."""
    paths = [tmp_path / f"{name}.fits" for name in ("one", "two", "three")]
    for i, path in enumerate(paths):
        write_event_list(path, Scene("nicer", 50.0, (Emitter(1.0),), obs_id=f"9200{i}"), seed=i)
    return [str(path) for path in paths]


def test_progress_counts_the_files_of_the_run_over_all_its_batches(
    tmp_path: Path, lists: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    from flows.lightlane import event_rows
    from schemas.lightlane import GOOD_TIMES, OBSERVATIONS, PHOTONS

    datasets = (OBSERVATIONS, GOOD_TIMES, PHOTONS)
    lake = Lake.create(str(tmp_path / "lakehouse"))
    with caplog.at_level(logging.INFO, "lake.intake"):
        take_in(lake, lists[:2], datasets, event_rows, scheduler="sync", total=3)
        take_in(lake, lists[2:], datasets, event_rows, scheduler="sync", before=2, total=3)
    told = [(r.__dict__["done"], r.__dict__["total"]) for r in caplog.records if "done" in r.__dict__]
    assert told == [(1, 3), (2, 3), (3, 3)]
    amounts = [r.__dict__ for r in caplog.records if "amount" in r.__dict__]
    assert len(amounts) == 3
    assert all(words["amount"] > 0 and words["unit"] == "photons" for words in amounts)
