"""The page's addresses: itself, its jobs, and the files of a result. A request names a job by its random id, never a path."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from urllib.parse import unquote

import anyio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from slowfast.inference.serve.guard import Guard
from slowfast.inference.serve.jobs import Job, Jobs, QueueFullError, Wish
from slowfast.inference.serve.limits import HEAD_BYTES, KINDS, ending_of
from slowfast.inference.serve.page import EVERY_CHOICES, PAGE_POLICY, Shown, page_html
from slowfast.inference.serve.work import LINES, PLAYED, PLAYER, TABLE

PIECE_SECONDS = 30.0  # in which a further piece of a video must come
_FILES = {
    "player": (PLAYER, "text/html; charset=utf-8"),
    "lines": (LINES, "application/x-ndjson; charset=utf-8"),
    "table": (TABLE, "text/csv; charset=utf-8"),
}
_VIDEO_TYPES = {".mp4": "video/mp4", ".webm": "video/webm"}
_NO_PAGE = "default-src 'none'; sandbox"


class RefusedError(Exception):
    """A video that is not taken. status: of HTTP"""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def build_app(jobs: Jobs, shown: Shown, *, names: Iterable[str] = ()) -> Starlette:
    """shown: what the page says of the model; names: under which it answers beside localhost and addresses in numbers."""

    async def page(request: Request) -> Response:
        return HTMLResponse(page_html(shown, jobs.limits), headers={"content-security-policy": PAGE_POLICY})

    async def told(request: Request) -> Response:
        return JSONResponse({"jobs": jobs.told()})

    async def upload(request: Request) -> Response:
        try:
            return JSONResponse({"id": await _receive(request, jobs, shown)}, status_code=201)
        except RefusedError as error:
            # What is left of the body is not read.
            return JSONResponse({"error": str(error)}, error.status, headers={"connection": "close"})
        except ClientDisconnect:
            return Response(status_code=400)

    async def remove(request: Request) -> Response:
        there = jobs.remove(request.path_params["key"])
        return Response(status_code=204) if there else _missing()

    async def result(request: Request) -> Response:
        job = jobs.find(request.path_params["key"])
        return _missing() if job is None or job.state != "done" else _file(job, request.path_params["kind"])

    routes = [
        Route("/", page),
        Route("/jobs", told),
        Route("/jobs", upload, methods=["POST"]),
        Route("/jobs/{key}", remove, methods=["DELETE"]),
        Route("/results/{key}/{kind}", result),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard, names=tuple(names))])


def _missing() -> Response:
    return JSONResponse({"error": "there is no such result; results are removed after a while"}, 404)


def _file(job: Job, kind: str) -> Response:
    if kind == "video" and job.video is not None:
        copy = job.folder / PLAYED
        video = copy if copy.is_file() else job.video
        kind_of_video = _VIDEO_TYPES.get(video.suffix, "application/octet-stream")
        return FileResponse(video, media_type=kind_of_video, headers={"content-security-policy": _NO_PAGE})
    if kind not in _FILES:
        return _missing()
    name, media_type = _FILES[kind]
    path = job.folder / name
    if kind == "player":  # which names its own policy
        return FileResponse(path, media_type=media_type)
    # Starlette writes an odd name so that it stays a name.
    saved_as = f"{Path(job.name).stem or 'video'}{path.suffix}"
    return FileResponse(path, media_type=media_type, filename=saved_as, headers={"content-security-policy": _NO_PAGE})


async def _receive(request: Request, jobs: Jobs, shown: Shown) -> str:
    """Take the video that is the body, piece by piece. Raises RefusedError; nothing of it is left then."""
    name = request.headers.get("x-file-name")
    if name is None:
        raise RefusedError(400, "the name of the file is missing (header X-File-Name)")
    size = request.headers.get("content-length", "")
    if size.isdecimal() and int(size) > jobs.limits.most_bytes:
        raise RefusedError(413, jobs.limits.too_large(int(size)))
    wish = _wish(request, shown)
    try:
        job = jobs.reserve(unquote(name), wish)
    except QueueFullError as error:
        raise RefusedError(503, str(error)) from None
    try:
        jobs.submit(job, await _write(request.stream(), job, jobs))
    except BaseException:  # refused, broken off, or the page ends
        jobs.remove(job.id)
        raise
    return job.id


def _wish(request: Request, shown: Shown) -> Wish:
    every, choices = request.query_params.get("every", ""), sorted({*EVERY_CHOICES, shown.every})
    if every and every not in {f"{choice:g}" for choice in choices}:
        raise RefusedError(400, f"every is one of {', '.join(f'{choice:g}' for choice in choices)} seconds")
    return Wish(float(every) if every else None, request.query_params.get("track") == "1")


async def _write(pieces: AsyncIterator[bytes], job: Job, jobs: Jobs) -> Path:
    """The file, named by what it begins with."""
    path, head, size = job.folder / "coming", b"", 0
    try:
        with open(path, "wb") as file:
            while True:
                with anyio.fail_after(PIECE_SECONDS):
                    piece = await anext(pieces, None)
                if piece is None:
                    break
                size += len(piece)
                if size > jobs.limits.most_bytes:
                    raise RefusedError(413, jobs.limits.too_large())
                head += piece[: HEAD_BYTES - len(head)]
                if len(head) == HEAD_BYTES:
                    _check(head)
                file.write(piece)
    except TimeoutError:
        raise RefusedError(408, f"nothing came for {PIECE_SECONDS:g} s") from None
    except OSError as error:
        raise RefusedError(507, f"the video could not be stored: {error.strerror}") from None
    video = job.folder / f"video{_check(head)}"
    path.rename(video)
    return video


def _check(head: bytes) -> str:
    ending = ending_of(head)
    if ending is None:
        raise RefusedError(415, f"this is no video of a kind that is known here ({KINDS})")
    return ending
