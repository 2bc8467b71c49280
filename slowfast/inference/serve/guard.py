"""Who may ask the page for something: its own origin, under a name that is this machine's. ASGI middleware.

A page of another site that is open in the same browser could send requests to 127.0.0.1, or have its own name resolved
to it. The first is seen by the Origin, the second by the Host.
"""

import ipaddress
import json
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS = ("GET", "HEAD")
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def is_known_host(host: str, names: Iterable[str] = ()) -> bool:
    """A Host header that nobody else's name can be: localhost, an address in numbers, or one of `names`."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name in {known.lower() for known in names}:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def refusal(method: str, headers: dict[str, str], names: Iterable[str] = ()) -> tuple[int, str] | None:
    """(status, why) of a request that is not answered; None for one that is. headers: by lower-case name"""
    host = headers.get("host", "")
    if not is_known_host(host, names):
        return 421, f"this page does not answer to the name {host!r}; start it with --name to let it"
    if method in SAFE_METHODS:
        return None
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return 403, "a page of another site may not ask for this"
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return 403, "a page of another site may not ask for this"
    return None


class Guard:
    """Answers what `refusal` refuses, and adds HEADERS to every answer."""

    def __init__(self, app: ASGIApp, names: Iterable[str] = ()) -> None:
        self._app, self._names = app, tuple(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                added = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in there]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refused = refusal(scope["method"], headers, self._names)
        if refused is None:
            await self._app(scope, receive, send_on)
            return
        status, why = refused
        body = json.dumps({"error": why}).encode()
        kind = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send_on({"type": "http.response.start", "status": status, "headers": kind})
        await send_on({"type": "http.response.body", "body": body})
