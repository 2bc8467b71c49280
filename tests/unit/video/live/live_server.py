"""A server on 127.0.0.1 that sends parts of a file as a live stream: paced, broken off, and there again."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


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
