"""Many movies prepared at once: in several processes, going on after a kill at any moment, with a row for each."""

import multiprocessing
import re
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

from slowfast.preparation.movies.one_movie import Wanted, prepare_movie
from slowfast.utils.files import remove_left_by_killed
from slowfast.utils.logging import get_logger
from slowfast.utils.processes.cores import ignore_ctrl_c
from slowfast.utils.progress import progress
from slowfast.video.decoding.frame_index import keep_index
from slowfast.video.reader import VIDEO_EXTENSIONS
from slowfast.video.source import ClipReadError
from slowfast.video.stored.manifest import FOLDER, read_record, size_of, write_record

SHOWN = 10


@dataclass(frozen=True)
class Row:
    """One movie. outcome: "made", "kept" (it was made before) or "failed", and then the reason; seconds: it took."""

    video: str
    source: str
    outcome: str
    seconds: float = 0.0
    frames: int = 0
    bytes: int = 0
    reason: str = ""


@dataclass(frozen=True)
class PreparationReport:
    """All movies, by name."""

    rows: tuple[Row, ...]

    @property
    def failed(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.outcome == "failed")

    def report(self) -> list[dict]:
        """Ready for JSON."""
        return [asdict(row) for row in self.rows]

    def __str__(self) -> str:
        count = {what: sum(row.outcome == what for row in self.rows) for what in ("made", "kept", "failed")}
        line = (
            f"{len(self.rows)} movies: {count['made']} prepared, {count['kept']} were ready, {count['failed']} failed"
        )
        shown = [f"  {row.video}: {row.reason}" for row in self.failed[:SHOWN]]
        more = [f"  and {len(self.failed) - SHOWN} more"] if len(self.failed) > SHOWN else []
        return "\n".join([line, *shown, *more])


def movies_below(sources: Sequence[Path]) -> dict[str, Path]:
    """{name: file}: of each folder all videos below it, named from it on, without extension; single files by their name.

    Raises FileNotFoundError for what is not there, ValueError where there is no video, or two have one name.
    """
    found: dict[str, Path] = {}
    for source in sources:
        if not source.exists():
            raise FileNotFoundError(f"{source}: no such file or folder")
        files = [source] if source.is_file() else sorted(p for p in source.rglob("*") if _is_video(p, source))
        for file in files:
            name = (file.relative_to(source) if source.is_dir() else Path(file.name)).with_suffix("").as_posix()
            if name in found:
                raise ValueError(
                    f"{found[name]} and {file} have one name, {name}: rename one{_or_above(found[name], file)}"
                )
            found[name] = file
    if not found:
        raise ValueError(
            f"{', '.join(map(str, sources))}: no video with one of the extensions {' '.join(VIDEO_EXTENSIONS)}"
        )
    return found


def _or_above(first: Path, second: Path) -> str:
    """Two that lie in different folders have two names below the folder above both."""
    return "" if first.parent == second.parent else ", or give the folder above both, from which names are then told"


def names_in(path: Path) -> list[str]:
    """Names of videos from a file, a line each, with or without a video's extension; blanks may be inside.

    Raises ValueError where there is none.
    """
    extension = "|".join(rf"{re.escape(known)}$" for known in VIDEO_EXTENSIONS)
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    names = [re.sub(extension, "", line, flags=re.IGNORECASE) for line in lines if line]
    if not names:
        raise ValueError(f"{path}: no name of a video in it (--names)")
    return names


def _is_video(path: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
    return path.suffix.lower() in VIDEO_EXTENSIONS and not hidden and path.is_file()


def prepare_all(
    movies: dict[str, Path], out: Path, wanted: Wanted, *, wanted_names: Sequence[str] = (), workers: int = 0
) -> PreparationReport:
    """Prepare what is not prepared yet. wanted_names: movies that must be there; one that is not is a row that failed.

    workers: processes; 0 works in this one
    A video whose record says that it was made of this very file in this very way, and which has the size that it had
    then, is kept; anything else is made anew. Half files of a run that was killed are removed, some minutes later.
    Raises ValueError, before anything is made, where a film that this did not make would be overwritten.
    """
    if wanted.mode == "encode":
        _spare(movies, out)
    # The folder of records is what tells the next run that films here are made by this.
    (out / FOLDER if wanted.mode == "encode" else out).mkdir(parents=True, exist_ok=True)
    for left in remove_left_by_killed(out):
        get_logger().info("%s: removed, a run that was killed left it", left)
    jobs = [(name, str(source), str(out), wanted) for name, source in sorted(movies.items())]
    rows = [Row(name, "", "failed", reason="no such movie") for name in sorted(set(wanted_names) - set(movies))]
    megabytes = {name: _megabytes(source) for name, source in movies.items()}
    # By size, as movies are of all lengths, and without those that are ready: the time left would be told wrong.
    ready = {name for name, source, _, _ in jobs if _is_surely_ready(name, Path(source), out, wanted)}
    rows += [Row(name, source, "kept") for name, source, _, _ in jobs if name in ready]
    jobs = [job for job in jobs if job[0] not in ready]
    total = sum(megabytes[job[0]] for job in jobs)
    with progress(what=f"preparing ({wanted.mode})", total=total, unit="MB") as bar:
        if workers == 0:
            for job in jobs:
                rows.append(_prepare(*job))
                bar.update(megabytes[job[0]])
        elif jobs:
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(workers, mp_context=context, initializer=ignore_ctrl_c) as pool:
                try:
                    for done in as_completed([pool.submit(_prepare, *job) for job in jobs]):
                        rows.append(done.result())
                        bar.update(megabytes[rows[-1].video])
                except BaseException:  # Ctrl-C, a worker that was killed: what waits is not begun
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
    if (out / FOLDER).is_dir() and not any((out / FOLDER).iterdir()):
        (out / FOLDER).rmdir()  # nothing was made
    return PreparationReport(tuple(sorted(rows, key=lambda row: row.video)))


def _spare(movies: dict[str, Path], out: Path) -> None:
    """Raises ValueError where a movie would be written over a source, or over a film in a folder that was never prepared."""
    sources = {path.resolve() for path in movies.values()}
    ours = (out / FOLDER).is_dir()
    for name in sorted(movies):
        target = out / f"{name}.mp4"
        if target.resolve() in sources:
            raise ValueError(
                f"{target}: this movie would be overwritten by what is made of it; give another folder (--out)"
            )
        if target.exists() and not ours:
            raise ValueError(f"{target} is there, and {out} was not made by this; give another folder (--out)")


def _megabytes(movie: Path) -> int:
    """At least 1, also of a file that is gone meanwhile."""
    try:
        return max(1, round(movie.stat().st_size / 1e6))
    except OSError:
        return 1


def _is_surely_ready(name: str, movie: Path, folder: Path, wanted: Wanted) -> bool:
    """Whatever goes wrong in asking is told of when the movie's turn comes."""
    try:
        return _is_ready(name, movie, folder, wanted)
    except (ValueError, OSError):
        return False


def _prepare(name: str, source: str, out: str, wanted: Wanted) -> Row:
    """One movie, whatever becomes of it."""
    start = time.perf_counter()
    folder, movie = Path(out), Path(source)
    try:
        if _is_ready(name, movie, folder, wanted):
            return Row(name, source, "kept")
        _forget(name, folder, wanted)
        record = prepare_movie(movie, name, folder, wanted)
        if wanted.mode == "index":
            keep_index(movie, folder)
        write_record(record, folder)
    except (ClipReadError, ValueError, OSError) as error:
        reason = error.reason if isinstance(error, ClipReadError) else str(error)
        at = f" (second {error.at:.1f})" if isinstance(error, ClipReadError) and error.at is not None else ""
        return Row(name, source, "failed", time.perf_counter() - start, reason=f"{reason}{at}")
    return Row(name, source, "made", round(time.perf_counter() - start, 2), record.frames, record.bytes)


def _is_ready(name: str, movie: Path, folder: Path, wanted: Wanted) -> bool:
    record = read_record(folder, name)
    if record is None or record.done != wanted.told:
        return False
    stat, path = movie.stat(), folder / record.file
    same = (record.source_bytes, record.source_time) == (stat.st_size, round(stat.st_mtime))
    return same and path.exists() and size_of(path) == record.bytes


def _forget(name: str, folder: Path, wanted: Wanted) -> None:
    """Make room for frames that are made anew: a folder of its own that has a record is removed, any other is not ours."""
    path = folder / name
    if wanted.mode != "frames" or not path.exists():
        return
    if read_record(folder, name) is None:
        raise FileExistsError(f"{path} is there and was not made by this: move it away")
    for file in path.iterdir():
        file.unlink()
    path.rmdir()
