"""What every flow does alike: which failures are tried again, and the counts on its Prefect page."""

from typing import Any

from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State, TaskRun

from lake.errors import LakeError


async def may_pass(task: object, run: TaskRun, state: State[Any]) -> bool:
    """Whether a failure may pass by itself: a store that doesn't answer, never a file that doesn't fit."""
    error = await state.aresult(raise_on_failure=False)
    return isinstance(error, OSError) and not isinstance(error, LakeError)


PASSING: dict[str, Any] = {"retries": 3, "retry_delay_seconds": [1, 5, 20], "retry_condition_fn": may_pass}


def report(pipeline: str, summary: dict[str, Any]) -> None:
    """The counts and the files left out, as artifacts of the run."""
    name = pipeline.replace("_", "-")
    counts = {k: v for k, v in summary.items() if k != "skipped"}
    create_table_artifact(key=f"{name}-counts", table=[counts], description="Files of this run")
    if summary["skipped"]:
        create_table_artifact(key=f"{name}-skipped", table=summary["skipped"], description="Files left out, and why")
