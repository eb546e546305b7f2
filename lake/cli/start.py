"""The command without a command: a first word, the version, the completion script, names for it."""

import sys
from argparse import Namespace
from pathlib import Path

from lake.cli.session import Session

WELCOME = """\
no lake at {root} yet: `{demo}` makes one from sample files, without network, in a minute or two
`{run}` lists the pipelines; `{run} PIPELINE FILES…` puts your own files in
`lake --help` lists all commands"""


def nothing_said(session: Session, args: Namespace) -> int:
    """`lake` alone is `lake ls`, or the way to the first lake; its own options come first."""
    if args.version:
        return _version(session)
    if args.completion:
        return _completion(session, args)
    if args.names:
        return _names(session, args.names)
    if not session.has_lake:
        return _welcome(session)
    from lake.cli.look import ls

    return ls(session, Namespace(**vars(args), at=None, pipeline=[], format=None, output=None, limit=None))


def _welcome(session: Session) -> int:
    demo, run = session.hint("lake demo"), session.hint("lake run")
    if session.json:
        session.document({"root": session.root, "commit": None, "next": demo})
    else:
        session.answer(WELCOME.format(root=session.root, demo=demo, run=run))
    return 0


def _version(session: Session) -> int:
    import lake

    if not session.json:
        session.answer(f"lake {lake.__version__}")
        return 0
    import platform

    from lake.pipelines import pipelines
    from lake.provenance import code_version, package_versions

    session.document(
        {
            "version": lake.__version__,
            "code": code_version(),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "pipelines": list(pipelines()),
            "packages": package_versions(),
            "root": session.root,
            "terminal": sys.stdout.isatty(),
            "encoding": sys.stdout.encoding,
        }
    )
    return 0


def _completion(session: Session, args: Namespace) -> int:
    import shtab

    script = shtab.complete(args.parser, shell=args.completion)
    if session.json:
        session.document({"shell": args.completion, "script": script})
    else:
        session.answer(script)
    return 0


def _names(session: Session, what: str) -> int:
    """Names for a shell to complete, one a line; none where there is no lake."""
    from lake.pipelines import pipelines

    found = pipelines()
    names = list(found)
    if what != "pipelines":
        names = [n for p in found.values() for n in (p.datasets if what == "datasets" else (*p.relations, *p.datasets))]
    if what != "pipelines" and Path(session.root, "lake.json").exists():
        names += list(session.lake().snapshot.tables)
    if session.json:
        session.document(sorted(set(names)))
    else:
        session.answer("\n".join(sorted(set(names))))
    return 0
