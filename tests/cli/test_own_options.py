"""Options that a pipeline brings along: named, told and checked as those of the command itself."""

from pathlib import Path

import pytest

from lake.cli.parser import arguments, build
from lake.cli.work import OWN
from lake.errors import QueryError
from lake.pipelines import pipelines
from tests.cli.conftest import Said


def own(*words: str) -> dict[str, str]:
    """Values of a pipeline's own options."""
    args = arguments(["run", "cosmic_rays", *words])
    return {name.removeprefix(OWN): v for name, v in vars(args).items() if name.startswith(OWN) and v is not None}


def test_dates_have_the_words_that_people_say_and_those_of_the_flow() -> None:
    assert own("--from", "2009-05-01", "--to=2010-01-01") == {"since": "2009-05-01", "until": "2010-01-01"}
    assert own("--since", "2009-05-01", "--threshold-e", "80") == {"since": "2009-05-01", "threshold_e": "80"}
    assert own() == {}


def test_files_may_stand_on_either_side_of_an_option() -> None:
    args = arguments(["run", "cosmic_rays", "a.fits", "--instrument", "STIS_CCD", "b.fits"])
    assert args.files == ["a.fits", "b.fits"]


def test_every_pipeline_s_options_fit_beside_those_of_the_command() -> None:
    for name, pipeline in pipelines().items():
        parser = build(["run", name])
        words = ["run", name, *(f"--{p.name.replace('_', '-')}=1" for p in pipeline.parameters)]
        found = vars(parser.parse_args(words))
        assert {found[OWN + p.name] for p in pipeline.parameters} <= {"1"}


def test_the_help_says_what_the_flow_says_of_each_option_and_its_default(lake) -> None:
    said: Said = lake("run", "cosmic_rays", "--help")
    text = " ".join(said.out.split())
    assert "hits of more pixels than this are kept (2)" in text
    assert "--until UNTIL, --to UNTIL" in text
    assert "-use_dq --method flags" in text


def test_values_are_of_the_flow_s_types_or_refused() -> None:
    chosen = pipelines()["cosmic_rays"]
    assert chosen.values({"n_spreads": "4", "more_than": "3"}) == {"n_spreads": 4.0, "more_than": 3}
    with pytest.raises(QueryError, match="more_than"):
        chosen.values({"more_than": "few"})


def test_files_of_one_kind_fill_what_that_kind_has_and_hits_are_of_none() -> None:
    chosen = pipelines()["cosmic_rays"]
    filled = [name for kind in chosen.kinds for name in kind]
    assert len(filled) == len(set(filled))
    assert ("cosmic_rays.orbits",) in chosen.kinds
    assert chosen.derives
    assert "cosmic_rays.hits" in set(chosen.datasets) - set(filled)
    assert not pipelines()["lightlane"].derives


def test_an_empty_folder_is_no_wish_to_go_without_files(lake, tmp_path: Path) -> None:
    folder = tmp_path / "downloads"
    folder.mkdir()
    said: Said = lake("run", "cosmic_rays", str(folder))
    assert said.code == 2
    assert "no files given, or none in the folders" in said.err
