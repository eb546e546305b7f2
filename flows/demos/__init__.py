"""Demo scenes: for each pipeline, sample files with known truth, and what must be found in them.

A module here is the demo of the pipeline it is named for: `inputs(folder, small)` gives the files, `check(lake, small)`
gives what was found in the lake, one thing after another. Simulated files are the same at each call, so a second demo
finds them known.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Found:
    """One planted thing beside what was found of it.

    Attributes
    ----------
    what : of what these are numbers.
    planted, found : as put in and as the lake has it.
    wanted : what is good enough, in words.
    ok : whether it is.
    """

    what: str
    planted: Any
    found: Any
    wanted: str
    ok: bool
