"""The `lake` command: stdout is the answer, stderr is the talk."""

import os
import sys
from collections.abc import Sequence

from lake.cli.parser import Usage, arguments
from lake.cli.session import Session

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : its words, those of the process by default.

    Returns
    -------
    int
        0 done, 1 it failed, 2 used wrongly, 3 the answer is no, 130 interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    session = Session.of_words(words)
    try:
        code = _obey(session, words)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the answer has enough; what is still buffered must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        session.interrupted()
        return INTERRUPTED
    return code


def _obey(session: Session, words: list[str]) -> int:
    """The command's exit code; what goes wrong is told in one line."""
    try:
        args = arguments(words)
    except Usage as error:
        return session.failed(error, 2)
    if args is None:
        return 0
    session.configure(args)
    with session.logging():
        try:
            code: int = args.act(session, args)
        except BrokenPipeError:
            raise
        except Exception as error:
            if "Query interrupted" in str(error):
                # DuckDB turns Ctrl-C into an error of its own.
                raise KeyboardInterrupt from error
            return session.failed(error, 2 if isinstance(error, Usage) else 1)
    return code
