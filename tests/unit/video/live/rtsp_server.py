"""A camera that speaks RTSP on 127.0.0.1, of the one kind that a client asks for here: MPEG-TS in RTP over TCP.

RFC 2326 (RTSP: OPTIONS, DESCRIBE, SETUP, PLAY, and data between replies as "$", channel, length) and RFC 2250 (whole
MPEG-TS packets, payload type 33, a clock of 90 kHz).
"""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_TS, _IN_ONE = 188, 7
_SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track1\r\n"


@contextmanager
def rtsp_server(stream: bytes, *, seconds: float) -> Iterator[tuple[str, list[str]]]:
    """Gives the URL, and the first lines of all requests. One client is sent the stream over `seconds`."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_serve, args=(listening, stream, seconds, asked), daemon=True)
        thread.start()
        yield f"rtsp://127.0.0.1:{listening.getsockname()[1]}/camera", asked
    thread.join(10)


def _serve(listening: socket.socket, stream: bytes, seconds: float, asked: list[str]) -> None:
    try:
        client, _ = listening.accept()
        with client, client.makefile("rb") as requests:
            while (line := requests.readline().decode().strip()) != "":
                asked.append(line)
                headers = {}
                while (header := requests.readline().decode().strip()) != "":
                    name, _, value = header.partition(":")
                    headers[name.lower()] = value.strip()
                method = line.split()[0]
                client.sendall(_reply(method, headers))
                if method == "PLAY":
                    _send(client, stream, seconds)
                    return
    except OSError:
        asked.append("the client has left")


def _reply(method: str, headers: dict[str, str]) -> bytes:
    lines, body = [f"CSeq: {headers['cseq']}", "Session: 1"], ""
    if method == "OPTIONS":
        lines.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
    elif method == "DESCRIBE":
        body = _SDP
        lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
    elif method == "SETUP":
        lines.append(f"Transport: {headers['transport']}")
    return ("\r\n".join(["RTSP/1.0 200 OK", *lines, "", ""]) + body).encode()


def _send(client: socket.socket, stream: bytes, seconds: float) -> None:
    pieces = [stream[i : i + _TS * _IN_ONE] for i in range(0, len(stream), _TS * _IN_ONE)]
    start = time.monotonic()
    for number, piece in enumerate(pieces):
        shown = seconds * number / len(pieces)
        time.sleep(max(0.0, start + shown - time.monotonic()))
        packet = struct.pack(">BBHII", 0x80, 33, number & 0xFFFF, int(shown * 90_000), 7) + piece
        client.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
