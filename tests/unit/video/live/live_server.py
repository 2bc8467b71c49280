"""A server on 127.0.0.1 that sends parts of a file as a live stream: paced, broken off, and there again."""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np


def write_stream(frames: Iterable[np.ndarray], path: Path, fps: int) -> None:
    """(H, W, 3) uint8 RGB frames as H.264, a key frame every half second; the ending of the name tells the container."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"g": str(fps // 2), "tune": "zerolatency"})
        for number, frame in enumerate(frames):
            if number == 0:
                stream.height, stream.width, stream.pix_fmt = *frame.shape[:2], "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


@contextmanager
def live_server(parts: Sequence[bytes], *, seconds: float = 0.0, kind: str = "video/mp2t") -> Iterator[str]:
    """Gives the URL. The n-th connection is sent the n-th part over `seconds`, and closed; later ones are refused (503)."""
    served = iter(parts)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with lock:
                part = next(served, None)
            if part is None:
                self.send_error(503)
                return
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Transfer-Encoding", "chunked")  # so that the end is one, and no break
            self.end_headers()
            pieces, start = [part[i : i + 1880] for i in range(0, len(part), 1880)], time.monotonic()
            try:
                for number, piece in enumerate(pieces):
                    time.sleep(max(0.0, start + seconds * number / len(pieces) - time.monotonic()))
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.wfile.write(b"0\r\n\r\n")
            except OSError:
                self.close_connection = True  # the reader has left

        def log_message(self, *arguments: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/live.ts"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
