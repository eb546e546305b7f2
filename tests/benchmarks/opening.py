"""Opening a lake of many commits, and refreshing its catalogue."""

from collections.abc import Iterator
from pathlib import Path

from lake.store import Lake
from tests.benchmarks import Line, in_turn, ms
from tests.benchmarks._stores import commit

COMMITS = (10, 1050)


def lines(folder: Path) -> Iterator[Line]:
    """At few commits, and at many of which fifty came after the checkpoint."""
    lake = Lake.create(folder / "lake")
    root = lake.root
    acts = (
        lambda: Lake(root),
        lambda: Lake(root).sql("select count(*) as n from toy.counts").arrow(),
        lake.refresh_catalog,
        lake.refresh,
    )
    times = []
    for n in COMMITS:
        while lake.number < n - 1:
            commit(lake, "w", lake.number + 1)
        times.append(in_turn(acts, rounds=7))
    few, many = (f"{n:,} commits" for n in COMMITS)
    for what, one, other in zip(
        ("open", "open and count rows", "refresh catalog.duckdb", "refresh"), *times, strict=True
    ):
        yield Line(f"{what}: {many} / {few}", ms(other), ms(one), other / one)
