"""Proof on the user's own disk: torture."""

from argparse import Namespace

from lake.cli.parser import Commands, Usage, count
from lake.cli.session import Session, printable


def add(commands: Commands) -> None:
    """Put the commands of this module on the command line."""
    parser = commands.add(
        torture,
        "kill writers of a scratch lake on this disk and count what is lost; exit 3 on any loss",
        ["lake torture", "lake torture --kills 300 --root /mnt/archive/lakehouse"],
    )
    how_long = parser.add_mutually_exclusive_group()
    how_long.add_argument("--kills", type=count, default=30, metavar="N", help="how many kills -9 (30)")
    how_long.add_argument("--minutes", type=float, metavar="N", help="how long, rather than how many kills")
    parser.add_argument("--writers", type=count, default=3, metavar="N", help="writers at once (3)")
    parser.add_argument("--seed", type=count, metavar="N", help="of times and victims, to repeat a run (by chance)")


def torture(session: Session, args: Namespace) -> int:
    """`lake torture`."""
    from lake.cli.progress import progress
    from lake.torture import torture as tortured

    if not args.writers or not (args.kills if args.minutes is None else args.minutes > 0):
        raise Usage("torture: found nothing to kill; expected writers, and kills or minutes", "lake torture --help")
    session.say(f"killing {args.writers} writers of a scratch lake below {printable(session.root)}")
    with progress(session, "torture") as state:
        state.unit = "kills"
        proof = tortured(session.root, kills=args.kills, minutes=args.minutes, writers=args.writers, seed=args.seed)
    if session.json:
        session.document(proof.to_json())
    else:
        for line in proof.lines():
            session.answer(printable(line))
    if not proof.holds:
        session.say(f"what was found is kept: lake verify --root {proof.root}")
    return 0 if proof.holds else 3
