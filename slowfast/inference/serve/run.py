"""Start the page: take the port, make the folder, serve until Ctrl-C, remove what was left."""

import logging
import os
import socket
from collections.abc import Callable, Sequence

import uvicorn

from slowfast.inference.choose import Choice
from slowfast.inference.classifier import ActionClassifier
from slowfast.inference.detector import ActionDetector
from slowfast.inference.predict import Options, check_options
from slowfast.inference.serve.app import build_app
from slowfast.inference.serve.folder import page_folder
from slowfast.inference.serve.guard import is_known_host
from slowfast.inference.serve.jobs import Jobs
from slowfast.inference.serve.limits import Limits
from slowfast.inference.serve.page import Shown
from slowfast.inference.serve.work import worker

LOCAL = ("127.0.0.1", "localhost", "::1")


def take_port(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 for a free one. Raises ValueError for one that is taken or not allowed."""
    if not 0 <= port <= 65535:
        raise ValueError(f"--port is a number from 0 (any free one) to 65535, got {port}")
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)  # names have numbers below 0
        raise ValueError(
            f"cannot listen on {host}, port {port}: {why}; choose another by --port (0 for any free one), or --host"
        ) from None


def serve(
    model: ActionDetector | ActionClassifier,
    listening: socket.socket,
    *,
    options: Options,
    limits: Limits,
    names: Sequence[str] = (),
    say: Callable[[str], None],
) -> None:
    """Serve the page until Ctrl-C (KeyboardInterrupt, once all is removed).

    listening: see `take_port`; options: of videos that wish nothing else; names: under which the page answers, beside
    localhost and addresses in numbers
    """
    host, port = listening.getsockname()[:2]
    options = check_options(model, options)
    assert options.every is not None
    classes = tuple(action.name for action in Choice.of(model.classes, options.classes, 0.0).classes)
    shown = Shown(model.loaded.weights.name, isinstance(model, ActionDetector), classes, options.every)
    work = worker(model, options, limits)
    with page_folder(say) as root:
        jobs = Jobs(root, work, limits)
        app = build_app(jobs, shown, names=names)
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=3, lifespan="off"
        )
        address = f"[{host}]" if ":" in host else host
        say(f"listening on http://{address}:{port} ({_reach(host)}); Ctrl-C ends it and removes all videos and results")
        try:
            uvicorn.Server(config).run(sockets=[listening])
        finally:
            jobs.close()


def _reach(host: str) -> str:
    if host in LOCAL:
        return "this machine only"
    return "whoever reaches this machine may use it, and see all results: there is no password"


def check_names(names: Sequence[str]) -> None:
    """Raises ValueError for a --name that is no name of a machine."""
    for name in names:
        if not name or "/" in name or not is_known_host(name, [name]):
            raise ValueError(f"--name is what a browser's address bar names this machine (gpu1.lan), got {name!r}")
