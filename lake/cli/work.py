"""Work that fills the lake: run, demo."""

import sys
import time
from argparse import Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lake.cli.output import cells, rows_of, show
from lake.cli.parser import Commands, Usage, answers, as_usage, completes, pairs, parametrised
from lake.cli.progress import progress
from lake.cli.session import GREEN, RED, Session, printable
from lake.errors import LakeError, QueryError, SourceError
from lake.pipelines import Pipeline, demo_of, flow_of, pipeline, pipelines, warm_up

SKIPPED_SHOWN = 20
FINDINGS_SHOWN = 5
# Where a pipeline's own options are kept among all, and what else they may be called.
OWN = "own "
OTHER_WORDS = {"since": ("from",), "until": ("to",)}
COLUMNS = "{:<13} {:<32} {:<10} {:<9} {:>5}   {}"


def add(commands: Commands) -> None:
    """Put the commands of this module on the command line."""
    parser = commands.add(
        demo, "run every pipeline on sample files with known truth", ["lake demo --small", "lake demo --json"]
    )
    names = parser.add_argument("pipeline", nargs="*", metavar="PIPELINE", help="only these pipelines")
    completes(names, "pipelines")
    parser.add_argument("--small", action="store_true", help="fewer and smaller samples, where a pipeline has them")
    parser = commands.add(
        run, "run a pipeline on files, or list the pipelines", ["lake run", "lake run {pipeline} --help"], writes=True
    )
    names = parser.add_argument("pipeline", nargs="?", metavar="PIPELINE", help="which; without one they are listed")
    completes(names, "pipelines")
    files = parser.add_argument("files", nargs="*", metavar="FILES", help="files, or folders of them")
    files.complete = {"bash": "_shtab_compgen_files", "zsh": "_files", "tcsh": "f"}  # type: ignore[attr-defined]
    parametrised(parser)
    parser.add_argument("--strict", action="store_true", help="fail on the first unfit file, change nothing")
    answers(parser)


def add_own(commands: Commands, words: Sequence[str]) -> None:
    """Give `lake run PIPELINE` the options of that pipeline, and its help what its file says of it."""
    if "run" not in words:
        return
    after = words[list(words).index("run") + 1 :]
    chosen = next((p for word in after if (p := pipelines().get(word))), None)
    if chosen is None:
        return
    parser = commands.named["run"]
    parser.description = chosen.text
    add = parser.add_argument_group(f"options of {chosen.name}").add_argument
    for parameter in chosen.parameters:
        word = parameter.name.replace("_", "-")
        names = [f"--{word}", *(f"--{other}" for other in OTHER_WORDS.get(word, ()))]
        told = " ".join(
            filter(None, [parameter.doc, "" if parameter.default in (None, "") else f"({parameter.default})"])
        )
        is_switch: dict[str, Any] = {"nargs": "?", "const": "true"} if parameter.kind is bool else {}
        add(*names, dest=OWN + parameter.name, metavar=word.upper(), help=told.replace("%", "%%"), **is_switch)


def run(session: Session, args: Namespace) -> int:
    """`lake run`."""
    if args.pipeline is None:
        return _listed(session, args)
    try:
        chosen = pipeline(args.pipeline)
        own = {name.removeprefix(OWN): value for name, value in vars(args).items() if name.startswith(OWN)}
        params = chosen.values(pairs(args.param) | {name: value for name, value in own.items() if value is not None})
    except QueryError as error:
        raise as_usage(error) from error
    paths = files_of(args.files)
    if not paths and (args.files or not chosen.derives):
        raise Usage(f"{chosen.name}: no files given, or none in the folders", f"lake run {chosen.name} FILES…")
    if args.dry_run:
        return _told(session, chosen, _rehearsed(session, chosen, paths), dry=True)
    if not chosen.derives and _are_known(session, chosen, paths):
        number, n = session.lake().number, len(paths)
        nothing = {"commit": number, "read": n, "new": 0, "known": n, "skipped": [], "seconds": 0.0}
        return _told(session, chosen, nothing)
    _made(session)
    return _told(session, chosen, _ran(session, chosen, paths, strict=args.strict, **params))


def _listed(session: Session, args: Namespace) -> int:
    """The pipelines there are: what they take and give, from their own files."""
    records = [
        {
            "pipeline": p.name,
            "does": p.doc,
            "datasets": ", ".join(name.partition(".")[2] for name in p.datasets),
            "n_relations": len(p.relations),
            "parameters": ", ".join(
                f"{a.name}={a.default}" if a.default is not None or a.is_optional else a.name for a in p.parameters
            ),
        }
        for p in pipelines().values()
    ]
    show(session, args, rows_of(records, ("pipeline", "does", "datasets", "n_relations", "parameters")))
    return 0


def files_of(words: Iterable[str]) -> list[Path]:
    """The files that words on the command line mean; a folder means all below it, hidden ones left out.

    Raises
    ------
    SourceError
        One of them isn't there.
    """
    found: list[Path] = []
    for word in words:
        path = Path(word)
        if path.is_dir():
            below = [p for p in sorted(path.rglob("*")) if p.is_file() and not p.name.startswith(".")]
            found += below
        elif path.exists():
            found.append(path)
        else:
            raise SourceError(f"{word}: no such file or folder")
    return found


def _made(session: Session) -> None:
    """A lake at the root, made now where there is none."""
    from lake.store import Lake

    if not session.has_lake:
        Lake.create(session.root)
        session.say(f"made a new lake at {session.root}")
    session.lake()


def _ran(session: Session, chosen: Pipeline, paths: Sequence[Path], **params: Any) -> dict[str, Any]:
    """What a flow run did."""
    n = len(paths)
    session.say(
        f"reading {n:,} file{'' if n == 1 else 's'}" if n else "no new file: bringing up to date what is derived"
    )
    with progress(session, chosen.name, n or None):
        start = time.monotonic()
        done = flow_of(chosen.name)(session.root, [str(p.absolute()) for p in paths], **params)
        return {**done, "seconds": round(time.monotonic() - start, 1)}


def _are_known(session: Session, chosen: Pipeline, paths: Sequence[Path]) -> bool:
    """Whether a pipeline's datasets have these files already: to see that takes no flow, which takes seconds."""
    from lake.intake import known_inputs
    from lake.storage import staged_digest

    if not session.has_lake:
        return False
    lake = session.lake()
    known = known_inputs(lake.snapshot, chosen.kinds)
    if not known:
        return False
    with progress(session, "looking which files are known", len(paths)) as state:
        for state.done, path in enumerate(paths):
            if staged_digest(path)[0] not in known:
                return False
    # A run that was killed before it wrote the catalogue is brought to its end.
    with lake.transaction("run"):
        pass
    return True


def _rehearsed(session: Session, chosen: Pipeline, paths: Sequence[Path]) -> dict[str, Any]:
    """What a flow run would do, as far as reading the files can tell."""
    from lake.intake import known_inputs, reason_of
    from lake.readers import read

    start = time.monotonic()
    known, number = frozenset[str](), -1
    if session.has_lake:
        snapshot = session.lake().snapshot
        known = known_inputs(snapshot, chosen.kinds)
        number = snapshot.number
    count = {"read": len(paths), "new": 0, "known": 0}
    skipped = []
    for path in paths:
        try:
            count["known" if read(path, apart=True).sha256 in known else "new"] += 1
        except SourceError as error:
            skipped.append({"source": str(path), "reason": reason_of(error, path.name)})
    return {"commit": number, **count, "skipped": skipped, "seconds": round(time.monotonic() - start, 1)}


def _told(session: Session, chosen: Pipeline, done: dict[str, Any], dry: bool = False) -> int:
    """Tell what a run did, a line and the files it left out; 3 where there are any."""
    if session.json:
        session.document({**done, "dry_run": True} if dry else done)
    would = "would be " if dry else ""
    skipped = done["skipped"]
    counts = [f"{done['read']:,} {would}read", f"{done['new']:,} {would}new", f"{done['known']:,} known"]
    counts += [f"{len(skipped):,} {would}skipped"] if skipped else []
    counts += [f"{n:,} measured"] if (n := done.get("measured")) else []
    number = "no commit yet" if done["commit"] < 0 else f"commit {done['commit']}"
    session.say(f"{chosen.name}: {', '.join(counts)}, {number}, {done['seconds']:.1f} s")
    if not session.quiet:
        names = cells([Path(str(s["source"])).name for s in skipped[:SKIPPED_SHOWN]])
        for name, words in zip(names, skipped, strict=False):
            session.say(f"  skipped  {name:<{max(map(len, names))}}   {printable(words['reason'])}")
        rejected = session.hint('lake sql "from lake.rejected"')
        if len(skipped) > SKIPPED_SHOWN:
            session.say(f"  and {len(skipped) - SKIPPED_SHOWN:,} more: {rejected}")
        for key, what in (("rejected_rows", "row"), ("damaged_parts", "damaged part")):
            if n := done.get(key, 0):
                session.say(f"  {n:,} {what}{'' if n == 1 else 's'} left out: {rejected}")
    if not dry and (next_ := _next(session, chosen)):
        session.say(f"next: {session.hint(f'lake show {next_}')}")
    return 3 if skipped else 0


def _next(session: Session, chosen: Pipeline) -> str:
    """The dataset to look at after a run: the last that the pipeline declares and the lake has rows of."""
    snapshot = session.lake().snapshot
    filled = {piece.dataset for piece in snapshot.pieces.values()}
    return next((name for name in reversed(chosen.datasets) if name in filled), "")


def demo(session: Session, args: Namespace) -> int:
    """`lake demo`."""
    start = time.monotonic()
    try:
        # The smallest come first, so that a first line of truth comes soon.
        every = sorted(pipelines().values(), key=lambda p: len(p.datasets))
        chosen = [pipeline(name) for name in args.pipeline] or [p for p in every if p.has_demo]
    except QueryError as error:
        raise as_usage(error) from error
    for p in chosen:
        if not p.has_demo:
            raise Usage(f"{p.name}: brings no demo", "lake demo")
    if not chosen:
        raise LakeError("no pipeline brings a demo")
    _made(session)
    if not session.lake().snapshot.ingested:
        warm_up()
    if not session.json:
        session.answer(COLUMNS.format("pipeline", "planted", "found", "wanted", "s", "").rstrip())
    results = []
    known = 0
    for p in chosen:
        lines, is_known = _demonstrated(session, p, args.small)
        known += is_known
        results += lines
    return _concluded(session, chosen, results, known, time.monotonic() - start)


def _demonstrated(session: Session, chosen: Pipeline, small: bool) -> tuple[list[dict[str, Any]], bool]:
    """One pipeline's findings, each told as it is made, and whether its sample files were known already."""
    start = time.monotonic()
    findings, is_known = _checked(session, chosen, small)
    lines: list[dict[str, Any]] = []
    hidden = 0
    for f in findings:
        seconds = round(time.monotonic() - start, 1)
        words = {"what": f.what, "planted": f.planted, "found": f.found, "wanted": f.wanted, "ok": f.ok}
        if session.json:
            pass
        elif len(lines) < FINDINGS_SHOWN or not f.ok:
            session.answer(_finding(session, f, *("", "") if lines else (chosen.name, f"{seconds:.1f}")))
            sys.stdout.flush()
        else:
            hidden += 1
        lines.append({"pipeline": chosen.name, **words, "seconds": seconds})
    if hidden:
        session.answer(COLUMNS.format("", f"and {hidden} more", "", "", "", "ok"))
    return lines, is_known


def _checked(session: Session, chosen: Pipeline, small: bool) -> tuple[Iterable[Any], bool]:
    """What a demo finds in the lake, after a run where the samples are new or something is missing."""
    folder = Path("lake-demo" if "://" in session.root else f"{session.root}/demo", chosen.name)
    folder.mkdir(parents=True, exist_ok=True)
    module = demo_of(chosen.name)
    paths = module.inputs(folder, small)
    session.detail(f"{chosen.name}: {len(paths)} sample files in {folder}")
    if _all_known(session, chosen, paths):
        found = list(module.check(session.lake(), small))
        if all(f.ok for f in found):
            return found, True
    with progress(session, chosen.name, len(paths)):
        flow_of(chosen.name)(session.root, [str(p.absolute()) for p in paths])
    return module.check(session.lake(), small), False


def _finding(session: Session, found: Any, name: str, seconds: str) -> str:
    """One line of truth."""
    planted = found.planted if found.what in str(found.planted) else f"{_short(found.planted)} {found.what}"
    word, colour = ("ok", GREEN) if found.ok else ("MISSED", RED)
    verdict = session.painted(word, colour, sys.stdout)
    return COLUMNS.format(name, planted, _short(found.found), _short(found.wanted), seconds, verdict)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else printable(value)


def _all_known(session: Session, chosen: Pipeline, paths: Sequence[Path]) -> bool:
    """Whether the lake took in every one of these files before, by the hash of its bytes."""
    from lake.storage import staged_digest

    ingested = session.lake().snapshot.ingested
    known = {source for dataset, source in ingested if dataset.partition(".")[0] == chosen.name}
    return all(staged_digest(path)[0] in known for path in paths)


def _concluded(
    session: Session, chosen: Sequence[Pipeline], results: list[dict[str, Any]], known: int, seconds: float
) -> int:
    """Write the report and tell where it is and what to try; 3 where a planted thing was missed."""
    from lake.report import write_reports
    from lake.store import size_text

    lake = session.lake()
    page = write_reports(lake, [p.name for p in chosen], Path(session.root, "report"))
    missed = [r for r in results if not r["ok"]]
    if session.json:
        words = {"commit": lake.number, "findings": results, "missed": len(missed), "known": known == len(chosen)}
        session.document({**words, "report": str(page), "seconds": round(seconds, 1)})
        return 3 if missed else 0
    session.answer(f"lake    {session.root}: commit {lake.number}, {size_text(lake.n_bytes)}")
    session.answer(f"report  {page}")
    for line in _to_try(session, chosen):
        session.answer(f"try     {session.hint(line)}")
    if known == len(chosen):
        session.say(f"everything known: the lake is at commit {lake.number}, as before ({seconds:.1f} s)")
    if missed:
        session.say(f"missed {len(missed)} of {len(results)} planted things")
    return 3 if missed else 0


def _to_try(session: Session, chosen: Sequence[Pipeline]) -> list[str]:
    """Three lines that run in the lake that the demo made."""
    dataset = _next(session, chosen[-1]) or "lake.files"
    tables = session.lake().snapshot.tables
    name = dataset if dataset in tables else f"{dataset}_frames"
    figures = [r for p in chosen for r in p.relations if r.partition(".")[2].startswith("fig_")]
    plot = f"lake plot {figures[0]} -o figure.png" if figures else "lake log"
    return [f'lake sql "from {name} limit 5"', plot, f"lake show {dataset}"]
