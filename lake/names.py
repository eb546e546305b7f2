"""Names that people mistype: the nearest one, and the error that offers it."""

from collections.abc import Iterable

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
    message: str, name: str, known: Iterable[str], hint: str = "{}", kind: type[QueryError] = QueryError
) -> QueryError:
    """The error for a name that isn't there: all names where they are few, the nearest as a hint where there is one."""
    names = sorted(known)
    if not names:
        return kind(f"{message}; there is none")
    near = nearest(name, names)
    if len(names) <= FEW:
        message = f"{message}; has {', '.join(names)}"
    elif near:
        message = f"{message}; nearest is {near}"
    return kind(message, hint.format(near) if near else "")
