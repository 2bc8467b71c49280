"""What the toy data sets share: a folder that knows what it was made with, and videos rendered by several processes."""

import json
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, TypeVar

from slowfast.utils.files import write_text
from slowfast.utils.processes.cores import ignore_ctrl_c

Made = TypeVar("Made")


def claim_folder(out: Path, arguments: dict[str, Any], *, kind: str = "toy data set") -> None:
    """Create the folder with its manifest.json, or check that the one there belongs to the same arguments.

    kind: what the folder holds, for the messages

    Raises ValueError on a folder made with other arguments, on one of something else, and on a broken manifest.
    """
    manifest = out / "manifest.json"
    if manifest.is_file():
        try:
            found = json.loads(manifest.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{manifest} is not valid JSON ({error}); delete the folder {out} and run again") from None
        if found != arguments:
            raise ValueError(
                f"{out} holds a {kind} made with {found}, but {arguments} is asked for; "
                "give the same arguments, choose another folder with --out, or delete this one"
            )
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(
            f"{out} exists and is not a {kind} (it has no manifest.json); choose another folder with --out"
        )
    out.mkdir(parents=True, exist_ok=True)
    write_text(json.dumps(arguments, indent=2) + "\n", manifest)


def make_all(make: Callable[..., Made], jobs: list[tuple[Any, ...]], *, num_workers: int, what: str) -> list[Made]:
    """`make(*job)` of every job, in the order of the jobs.

    make:        a function at the top of a module, for other processes to import
    num_workers: processes; 0 calls it in this one
    what:        name of the progress bar
    """
    if not jobs:
        return []
    # not at the top: it imports torch, which would slow the start of the workers
    from slowfast.utils.progress import progress

    made: dict[int, Made] = {}
    with progress(total=len(jobs), what=what, unit="video") as bar:
        if num_workers == 0 or len(jobs) <= 1:
            for number, job in enumerate(jobs):
                made[number] = make(*job)
                bar.update()
            return list(made.values())
        # spawn: a fork of a process that has used OpenCV or torch threads may hang
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(num_workers, len(jobs)), mp_context=context, initializer=ignore_ctrl_c) as pool:
            try:
                futures = {pool.submit(make, *job): number for number, job in enumerate(jobs)}
                for done in as_completed(futures):
                    made[futures[done]] = done.result()
                    bar.update()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    return [made[number] for number in range(len(jobs))]
