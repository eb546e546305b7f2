"""Names that people mistype: the nearest one, and the error that offers it."""

from collections.abc import Iterable, Sequence

from lake.errors import QueryError

FEW = 8


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name most like this one, or the empty string."""
    from difflib import get_close_matches

    names = sorted(known)
    bare = {n.rpartition(".")[2]: n for n in names}
    near = get_close_matches(name, names, 1, 0.6) or get_close_matches(name, list(bare), 1, 0.6)
    return bare.get(near[0], near[0]) if near else ""


def unknown(
    message: str,
    name: str,
    known: Iterable[str],
    hint: str = "{}",
    kind: type[QueryError] = QueryError,
    otherwise: str = "",
) -> QueryError:
    """The error for a name that isn't there: all names where they are few, else the nearest, else some.

    Parameters
    ----------
    hint : the line to paste, the nearest name in place of its braces.
    otherwise : the line to paste where no name is near.
    """
    names = sorted(known)
    if not names:
        return kind(f"{message}; there is none", otherwise)
    near = nearest(name, names)
    told = f"nearest is {near}" if near and len(names) > FEW else f"has {listed(names)}"
    return kind(f"{message}; {told}", hint.format(near) if near else otherwise)


def listed(names: Sequence[str]) -> str:
    """Names with commas between: all where they are few, else the first and how many more there are."""
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more
