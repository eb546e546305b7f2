"""Limits that the system keeps for the process that asks for them."""

import resource
from collections.abc import Mapping
from contextlib import suppress


def lower(limits: Mapping[int, int]) -> None:
    """Bring limits of this process down for good, none above what it was given.

    Where a system does not know one of them (an address space has none outside Linux), the others hold.
    """
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        n = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (n, n))
