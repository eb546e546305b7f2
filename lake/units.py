"""Units: from what a file states to what a column declares, and from a name's ending to its unit."""

from collections.abc import Callable
from typing import Any

from lake.errors import SchemaError

# What the last words of a column's name say, longest first.
ENDINGS = {
    "e_per_s_cm2": "electron / (s cm2)",
    "per_s_cm2": "1 / (s cm2)",
    "rad_s2": "rad / s2",
    "rad_s": "rad / s",
    "w_m2": "W / m2",
    "dn_per_s": "DN / s",
    "km_per_s": "km / s",
    "per_s_nm": "1 / (nm s)",
    "per_s": "1 / s",
    "arcsec": "arcsec",
    "deg": "deg",
    "rad": "rad",
    "mjd": "d",
    "nm": "nm",
    "km": "km",
    "cm2": "cm2",
    "um": "um",
    "px2": "pix2",
    "px": "pix",
    "dn": "DN",
    "kev": "keV",
    "ev": "eV",
    "e": "electron",
    "hz": "Hz",
    "s": "s",
}
# Spellings of archives that Astropy does not know.
SPELLINGS = {
    "chan": "",
    "channel": "",
    "pixel": "pix",
    "pixels": "pix",
    "sec": "s",
    "seconds": "s",
    "none": "",
    "counts": "ct",
}


def unit_of_name(name: str) -> str:
    """The unit that a column's name ends in, or the empty string."""
    return next((unit for ending, unit in ENDINGS.items() if name.endswith(f"_{ending}")), "")


def conversion(found: str, wanted: str) -> Callable[[Any], Any]:
    """A function from values in one unit to values in another; no stated unit is taken as the wanted one.

    Raises
    ------
    SchemaError
        The two measure different things.
    """
    found = SPELLINGS.get(found.strip().lower(), found.strip())
    if not found or not wanted or found == wanted:
        return lambda values: values
    from astropy import units

    try:
        factor = units.Unit(found).to(units.Unit(wanted))
    except (ValueError, units.UnitsError) as error:
        raise SchemaError(f"[{found}] cannot become [{wanted}]: {error}") from error
    return (lambda values: values) if factor == 1 else (lambda values: values * factor)
