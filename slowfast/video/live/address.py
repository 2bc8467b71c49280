"""What names a live source on a command line, and how it is called where others may read it."""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "udp", "tcp", "rtp", "srt")
Kind = Literal["webcam", "url", "pipe"]


@dataclass(frozen=True)
class LiveAddress:
    """kind: a camera of this machine, a URL, or standard input; target: number of the camera, the URL, or "-";
    name: for outputs and errors, without password and query; stem: for names of files"""

    kind: Kind
    target: str
    name: str
    stem: str


def live_address(text: str) -> LiveAddress | None:
    """ "webcam", "webcam:1", "rtsp://host/path", "-" -> the address; None for what names files.

    Raises ValueError for a camera without a number, and for a URL of a kind that is not read.
    """
    if text == "-":
        return LiveAddress("pipe", "-", "standard input", "stdin")
    if text == "webcam" or text.startswith("webcam:"):
        number = text.partition(":")[2] or "0"
        if not number.isdecimal():
            raise ValueError(f"{text}: webcam:N takes the number of a camera, from 0, got {number!r}")
        return LiveAddress("webcam", number, f"webcam:{int(number)}", f"webcam_{int(number)}")
    if "://" not in text:
        return None
    scheme = text.partition("://")[0].lower()
    if scheme not in SCHEMES:
        raise ValueError(f"{scheme}:// is no kind of stream that is read; there are {', '.join(SCHEMES)}")
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError as error:
        raise ValueError(f"{scheme}://...: this is no URL: {error}") from None
    # A password may stand before the host or in the query, and results are passed on.
    shown = f"[{host}]" if ":" in host else host
    stem = re.sub(r"[^A-Za-z0-9.-]+", "_", f"{host}{port}{parts.path}").strip("_.") or scheme
    return LiveAddress("url", text, f"{scheme}://{shown}{port}{parts.path}", stem[:100])
