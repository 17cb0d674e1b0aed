"""A server on this machine that goes wrong in every way a server can, over real TLS."""

import contextlib
import gzip
import hashlib
import http.server
import ssl
import threading
from pathlib import Path

import numpy as np
import pytest

from autoencoder.data import published as sources
from autoencoder.data.idx import write_idx
from autoencoder.data.published import FILES, Source

CERTIFICATE = Path(__file__).with_name("loopback.pem")
# Made once: to compress it takes longer than the tests wait for an answer on a busy machine.
BOMB = gzip.compress(b"\0\0\x08\1\x7f\xff\xff\xff" + bytes(10_000_000))


PAGE = b"<html>log in</html>"
ALIKE = {  # what is answered each time, by the handler, with the file's content at hand
    "without_ranges": lambda self, content: self.answer(content),
    "broken": lambda self, content: self.answer(b"", 500),
    "missing": lambda self, content: self.answer(b"", 404),
    "web_page": lambda self, content: self.answer(PAGE, Content_Type="text/html; charset=utf-8"),
    "disguised_web_page": lambda self, content: self.answer(PAGE),
    "no_http": lambda self, content: self.wfile.write(b"220 ready for mail\r\n\r\n"),
    "silent": lambda self, content: self.server.closing.wait(5),
    "trickling_status": lambda self, content: self.trickle(b"HTTP/1.1 200 OK"),
    "always_dying": lambda self, content: self.answer(content[:100], length=len(content)),
    "too_long_announced": lambda self, content: self.answer(content, length=len(content) + 100),
    "too_short_announced": lambda self, content: self.answer(content[:-10]),
    "huge_announced": lambda self, content: self.answer(content, length=10**12),
    "other_content": lambda self, content: self.answer(
        gzip.compress(gzip.decompress(content)[:-1] + b"\xaa")
    ),
    "bomb": lambda self, content: self.answer(BOMB),
    "to_plain_http": lambda self, content: self.to(
        f"http://127.0.0.1:{self.server.server_port}{self.path}"
    ),
    "to_a_local_file": lambda self, content: self.to("file:///etc/hostname"),
    "to_itself": lambda self, content: self.to(self.path),
    "to_good": lambda self, content: self.to("/good/" + self.path.split("/")[2]),
}


class Handler(http.server.BaseHTTPRequestHandler):
    """The first part of the path says how the answer goes wrong."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments):
        pass

    def do_GET(self):
        self.close_connection = True
        _, behaviour, file = self.path.split("/")
        first = (behaviour, file) not in [entry[:2] for entry in self.server.log]
        self.server.log.append((behaviour, file, self.headers.get("Range")))
        with contextlib.suppress(OSError):  # the client may hang up at any time
            if behaviour in ALIKE:
                ALIKE[behaviour](self, self.server.files[file])
            else:
                getattr(self, behaviour)(self.server.files[file], first)

    def answer(self, content, status=200, length=None, **headers):
        length = str(len(content) if length is None else length)
        self.head(status, Content_Length=length, **{"Content_Type": "application/gzip"} | headers)
        self.wfile.write(content)
        self.wfile.flush()

    def to(self, address):
        self.answer(b"", 302, Location=address)

    def rest(self, content):
        """What a well-behaved server sends for a range, and with which headers."""
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        if start == 0:
            return content, 200, {}
        if start >= len(content):
            return b"", 416, {}
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return content[start:], 206, {"Content_Range": span}

    def good(self, content, first):
        body, status, headers = self.rest(content)
        self.answer(body, status, **headers)

    def wrong_range(self, content, first):
        body, status, headers = self.rest(content)
        headers = {"Content_Range": "bytes 1-2/3"} if status == 206 else {}
        self.answer(body, status, **headers)

    def flaky(self, content, first):
        self.answer(b"", 503) if first else self.good(content, first)

    def stalling(self, content, first):
        self.answer(content[: len(content) // 2], length=len(content))
        self.server.closing.wait(5)

    def trickling(self, content, first):
        self.answer(b"", length=len(content))
        self.trickle(content)

    def trickle(self, content, seconds=0.05):
        """A byte at a time, never so slow that one of them is waited for too long."""
        for position in range(200):
            self.wfile.write(content[position : position + 1] or b"x")
            self.wfile.flush()
            if self.server.closing.wait(seconds):
                break

    def trickling_headers(self, content, first):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        self.trickle(b"Content-Type: application/gzip\r\nX-Name: ")

    def waiting_for_ever(self, content, first):
        for _ in range(200):
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            if self.server.closing.wait(0.05):
                break

    def to_itself_slowly(self, content, first):
        self.server.closing.wait(0.2)
        self.to(self.path)

    def head(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def with_a_trickling_body(self, content, first):
        self.head(302, Location="/good/" + self.path.split("/")[2], Content_Length="200")
        self.trickle(b"")

    def with_an_endless_body(self, content, first):
        self.head(302, Location="/good/" + self.path.split("/")[2])
        while not self.server.closing.is_set():
            self.wfile.write(bytes(100_000))

    def chunked(self, content):
        self.head(200, Content_Type="application/gzip", Transfer_Encoding="chunked")
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))

    def trickling_chunk_size(self, content, first):
        self.chunked(content[:100])
        self.trickle(b"000000000000000000000000000000")

    def endless_trailers(self, content, first):
        self.chunked(content)
        self.wfile.write(b"0\r\n")
        while not self.server.closing.is_set():
            self.wfile.write(b"X: y\r\n" * 1000)

    def dying(self, content, first):
        body, status, headers = self.rest(content)
        body, length = (body[: len(body) // 2], len(body)) if first else (body, len(body))
        self.answer(body, status, length=length, **headers)

    def endless(self, content, first):
        self.head(200)
        while not self.server.closing.is_set():
            self.wfile.write(content + bytes(10_000))


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    slow_handshake = False

    def finish_request(self, request, client_address):
        if self.slow_handshake:  # a record of 16,000 bytes is announced, and comes one by one
            with contextlib.suppress(OSError):
                request.sendall(b"\x16\x03\x03\x3e\x80")
                while not self.closing.wait(0.05):
                    request.sendall(b"\x02")
            return
        # The handshake belongs to the connection's own thread: a slow client blocks nobody.
        with contextlib.suppress(OSError):
            request = self.tls.wrap_socket(request, server_side=True)
            super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        pass


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A published set of random pixels, and the bytes of its four files."""
    folder = tmp_path_factory.mktemp("published")
    rng = np.random.default_rng(0)
    contents, digests = {}, {}
    for file in FILES:
        images = "images" in file
        array = rng.integers(0, 256, (20, 28, 28) if images else (20,), dtype=np.uint8)
        write_idx(folder / f"{file}.gz", array)
        contents[f"{file}.gz"] = (folder / f"{file}.gz").read_bytes()
        digests[file] = hashlib.sha256(gzip.decompress(contents[f"{file}.gz"])).hexdigest()
    source = Source("tiny", "Tiny", "none", "https://example.org/tiny", (), sha256=digests)
    return source, contents


@pytest.fixture
def server(tiny, monkeypatch):
    source, contents = tiny
    monkeypatch.setitem(sources.SOURCES, "tiny", source)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("MINIGRAD_OFFLINE", raising=False)
    server = Server(("127.0.0.1", 0), Handler)
    server.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.tls.load_cert_chain(CERTIFICATE)
    server.files, server.log, server.closing = contents, [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()
