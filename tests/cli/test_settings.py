"""What the environment may say."""

import pytest

from lake.errors import LakeError
from lake.settings import Settings


def test_nothing_said_means_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings("./lakehouse", 0, "threads")


def test_every_word_is_taken_over() -> None:
    words = {"LAKE_ROOT": "s3://a/b", "LAKE_WORKERS": "4", "LAKE_SCHEDULER": "tcp://host:8786"}
    assert Settings.from_environment(words) == Settings("s3://a/b", 4, "tcp://host:8786")


@pytest.mark.parametrize("words", [{"LAKE_WORKERS": "-1"}, {"LAKE_WORKERS": "two"}, {"LAKE_SCHEDULER": "slurm"}])
def test_a_word_that_means_nothing_is_refused(words: dict[str, str]) -> None:
    with pytest.raises(LakeError, match=next(iter(words))):
        Settings.from_environment(words)
