"""Proofs: for each part of the product, what was asked of it and what is measured, on this machine, now.

A module here is the proof of the part it is named for: its functions `prove_…(folder)` each measure one criterion.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Criterion:
    """What was asked, what was measured, and whether that holds."""

    asked: str
    measured: str
    holds: bool
