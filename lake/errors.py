"""Everything that goes wrong here, as one tree.

LakeError
├── SourceError       a file is missing, broken, or not what it claims          (OSError)
│   └── Refused       a rule of safety turned it away, before it could do harm
│       ├── TooLarge  it declares or inflates to more than the limit
│       ├── Malformed its bytes contradict each other
│       └── Forbidden it asks for what nobody may have
├── SchemaError       rows differ from their declaration                        (ValueError)
├── CommitError       the lake could not be written                             (RuntimeError)
│   └── ConflictError somebody else was first; nothing was written; run again
└── QueryError        a question names what isn't there, or can't be answered   (LookupError)
"""

from pathlib import Path

# What to do about a file that ends too early.
FETCH_AGAIN = "the file is shorter than its header states: fetch it again"


class LakeError(Exception):
    """Something the lake can explain; `hint` is a line that can be pasted, or empty."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.__dict__.copy()))


def _rebuild(kind: type[LakeError], state: dict[str, object]) -> LakeError:
    """The same error in another process, whatever its constructor takes."""
    error = kind.__new__(kind, state["message"])
    error.__dict__.update(state)
    return error


class SourceError(LakeError, OSError):
    """A file is missing, broken, or not what it claims."""


class Refused(SourceError):
    """A source turned away by a rule of safety.

    Parameters
    ----------
    source : name of the file, never its content or a query string.
    rule : short name of the rule, `fits-axes` say.
    detail : what was found and what was expected.
    """

    def __init__(self, source: object, rule: str, detail: str, hint: str = "") -> None:
        name = Path(str(source).partition("?")[0]).name
        super().__init__(f"{name}: {detail} [{rule}]", hint)
        self.source = str(source).partition("?")[0]
        self.rule = rule
        self.detail = detail


class TooLarge(Refused):
    """It declares, or inflates to, more than the limit."""


class Malformed(Refused):
    """Its bytes contradict each other, or end too early."""


class Forbidden(Refused):
    """It asks for something outside its bounds."""


class SchemaError(LakeError, ValueError):
    """Rows or frames differ from their declaration."""


class CommitError(LakeError, RuntimeError):
    """The lake could not be written; it is as it was, or the message says that this is not known."""


class ConflictError(CommitError):
    """Somebody else's commit came first and this one no longer fits; run it again."""


class QueryError(LakeError, LookupError):
    """A question names what isn't there, or can't be answered."""
