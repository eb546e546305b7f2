"""Texts that archives publish: lists of records, and orbits as two lines each."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

# Hubble on 2012-01-01, by the space catalogue.
LINE_1 = "1 20580U 90037B   12001.00000000  .00001000  00000-0  50000-4 0  999"
LINE_2 = "2 20580  28.4700 {node:8.4f} 0003375  77.2629 282.8450 15.02048{n:03d}98856"


def records(rows: Sequence[dict[str, Any]]) -> bytes:
    """A list of records as NOAA writes it."""
    return json.dumps(rows, indent=4).encode("utf-8")


def months(rng: np.random.Generator, n: int = 24) -> list[dict[str, Any]]:
    """Solar activity of some months from 2012 on, as NOAA tells it, with a word and what is not known."""
    found = []
    for k in range(n):
        own = {"time-tag": f"{2012 + k // 12}-{k % 12 + 1:02d}", "ssn": round(float(rng.uniform(0, 200)), 1)}
        own |= {"smoothed_ssn": -1.0 if k > n - 7 else round(float(rng.uniform(0, 200)), 1)}
        found.append(
            own | {"f10.7": round(float(rng.uniform(65, 250)), 2), "note": None if k % 3 else "caf\u00e9, [a}"}
        )
    return found


def elements(rng: np.random.Generator, n: int = 12, satellite: int = 20580, first_day: float = 1.0) -> bytes:
    """Sets of elements, one a day of 2012, under a line that names the satellite."""
    lines = []
    for k in range(n):
        words = LINE_1.replace("20580", f"{satellite:05d}").replace("001.00000000", f"{first_day + k:012.8f}")
        node = LINE_2.replace("20580", f"{satellite:05d}").format(node=float(rng.uniform(0, 360)), n=k)
        lines += ["HST", signed(words), signed(node)]
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def signed(line: str) -> str:
    """A line of 68 characters and its checksum."""
    line = line.ljust(68)[:68]
    return line + str((sum(map(int, filter(str.isdigit, line))) + line.count("-")) % 10)
