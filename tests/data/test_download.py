import http.server
import io
import socket
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s_jax.data.corpus import Pair, read_pairs
from s2s_jax.data.reading import download
from s2s_jax.errors import UserError

GOOD = b"Go.\tVa !\n"
any_text = st.text(st.characters(exclude_categories=()))  # lone surrogates too


class Handler(http.server.BaseHTTPRequestHandler):
    """Each path is one way in which a server can behave."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append((self.path, self.headers["User-Agent"]))
        self.close_connection = True
        name = self.path.partition("?")[0].strip("/").partition("/")[0]
        with suppress(OSError):
            getattr(self, f"serve_{name}", self.serve_missing)()

    def log_message(self, *_):
        pass

    def head(self, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def serve_ok(self):
        self.head(Content_Length=len(GOOD))
        self.wfile.write(GOOD)

    def serve_unsized(self):
        self.head()
        self.wfile.write(GOOD)

    def serve_chunked(self):
        self.head(Transfer_Encoding="chunked")
        self.wfile.write(b"4\r\n" + GOOD[:4] + b"\r\n5\r\n" + GOOD[4:] + b"\r\n0\r\n\r\n")

    def serve_cut(self):
        self.head(Transfer_Encoding="chunked")
        self.wfile.write(b"4\r\n" + GOOD[:4] + b"\r\n5\r\n" + GOOD[4:6])

    def serve_missing(self):
        self.head(404, Content_Length=0)

    def serve_nothing(self):
        self.head(204)

    def serve_short(self):
        self.head(Content_Length=1000)
        self.wfile.write(GOOD)

    def serve_large(self):
        self.head(Content_Length=1 << 40)

    def serve_endless(self):
        self.head()
        while True:
            self.wfile.write(GOOD * 1000)

    def serve_stuck(self):
        self.head(Content_Length=1000)
        self.server.stopping.wait(20)

    def serve_html(self):
        self.head(Content_Type="text/html; charset=utf-8", Content_Length=len(GOOD))
        self.wfile.write(GOOD)

    def serve_garbage(self):
        self.wfile.write(b"\x1b[31m not http \r\n\r\n")

    def serve_moved(self):
        self.head(302, Location="/ok/fra.txt", Content_Length=0)

    def serve_loop(self):
        self.head(301, Location=self.path, Content_Length=0)

    def serve_tofile(self):
        self.head(302, Location="file:///etc/passwd", Content_Length=0)

    def serve_nowhere(self):
        self.head(302, Content_Length=0)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        self.seen, self.stopping = [], threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.stopping.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("S2S_JAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "cache"


def error_of(data: str) -> str:
    with pytest.raises(UserError) as caught:
        download.resolve(data, progress=False)
    message = str(caught.value)
    assert message.isprintable()  # one line
    return message


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


# What is not downloaded


def test_paths_come_back_as_they_are(tmp_path, cache):
    (tmp_path / "fra.txt").write_bytes(GOOD)
    assert download.resolve(str(tmp_path / "fra.txt"), False) == tmp_path / "fra.txt"
    for missing in ("no/such.txt", "C:\\such.txt", "nul\0byte", ""):
        assert download.resolve(missing, False) == Path(missing)
    assert not cache.exists()


def test_an_existing_file_wins_over_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("fra-eng").write_bytes(GOOD)
    assert download.resolve("fra-eng", False) == Path("fra-eng")


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "FILE:/etc/passwd", "ftp://host/a.txt", "data:text/plain,a%09b"),
        *("http:///a.txt", "http:a.txt", "http://[::1/a", "http://host:99999/a", "https://h:x/"),
        *("http://host/\udce9.txt", "http://h\udce9/a.txt"),
    ],
)
def test_other_urls_are_refused(url, cache):
    message = error_of(url)
    assert "http(s) URL" in message and "`data`" in message
    assert not cache.exists()


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("fra.txt", "fra-eng"),
        ("no/such/folder/deu.txt", "deu-eng"),
        ("data\\Spa.TXT", "spa-eng"),
        ("fra-eng.zip", "fra-eng"),
        ("fra.zip", "fra-eng"),
    ],
)
def test_a_missing_file_of_manythings_is_offered_by_name(data, name, cache):
    message = error_of(data)
    assert f"there is no {data}" in message and f"`data` {name}, which downloads" in message
    assert not cache.exists()


def test_a_word_that_is_no_file_is_a_name_misspelt(cache):
    assert "a name such as fra-eng, but is 'fra_eng'" in error_of("fra_eng")
    assert "a name such as fra-eng" in error_of("FRA-ENG")
    assert not cache.exists()


@given(st.sampled_from(["", "ab:", "http:", "http://", "https://", "https://host/"]), any_text)
def test_any_text_is_a_path_or_one_line(start, text):
    def refuse(*_, **__):
        raise ConnectionRefusedError(111, "Connection refused")

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(socket, "create_connection", refuse)
        try:
            assert download.resolve(start + text, False) == Path(start + text)
        except UserError as error:
            assert str(error).isprintable() and "`data`" in str(error)


# What is


@pytest.mark.parametrize("kind", ["ok", "unsized", "chunked", "moved"])
def test_downloaded_once(server, cache, kind):
    server.seen.clear()
    url = f"{server.url}/{kind}/fra.txt"
    path = download.resolve(url, progress=False)
    assert path.read_bytes() == GOOD
    assert files(cache) == [path]
    assert path.name == "fra.txt" and read_pairs(path).pairs == [Pair("Go.", "Va !")]
    assert {agent for _, agent in server.seen} == {"s2s_jax"}
    asked = len(server.seen)
    assert download.resolve(url, progress=False) == path
    assert download.resolve(url + "#part", progress=False) == path
    assert len(server.seen) == asked


def test_urls_with_one_base_name_are_kept_apart(server):
    paths = {download.resolve(f"{server.url}/ok/{n}/a.txt?v={n}", False) for n in range(3)}
    assert len(paths) == 3
    assert {path.name for path in paths} == {"a.txt"}


def test_names_in_urls_become_safe(server, cache):
    for name in ("/../../x", "/a%2F..%2Fb.txt", "/é ü.txt", "/", "/.hidden", "/" + "x" * 300):
        path = download.resolve(f"{server.url}/ok{name}", False)
        assert path.parent.parent == cache and path.read_bytes() == GOOD


def test_names_of_manythings(server, cache, monkeypatch):
    monkeypatch.setattr(download, "_MANYTHINGS", f"{server.url}/ok/")
    server.seen.clear()
    assert download.resolve("fra-eng", False).name == "fra-eng.zip"
    assert server.seen == [("/ok/fra-eng.zip", "s2s_jax")]
    monkeypatch.setattr(download, "_MANYTHINGS", f"{server.url}/missing/")
    assert "lists the names" in error_of("xyz-eng")


def test_the_bar_appears_only_on_a_terminal(server, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    shown = Counter()
    for kind, stream in (("terminal", Terminal()), ("pipe", io.StringIO())):
        for progress in (True, False):
            monkeypatch.setattr("sys.stderr", stream)
            before = len(stream.getvalue())
            download.resolve(f"{server.url}/ok/{kind}{progress}.txt", progress)
            shown[kind, progress] = len(stream.getvalue()) > before
    assert shown == {
        ("terminal", True): True,
        ("terminal", False): False,
        ("pipe", True): False,
        ("pipe", False): False,
    }


# What goes wrong


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "HTTP status 404 (Not Found)"),
        ("nothing", "sent nothing"),
        ("short", f"broke off after {len(GOOD)} of 1000 bytes"),
        ("cut", "IncompleteRead"),
        ("large", "larger than"),
        ("endless", "larger than"),
        ("stuck", "nothing came for 0.2 seconds"),
        ("html", "web page"),
        ("garbage", "not http"),
        ("loop", "redirect error that would lead to an infinite loop"),
        ("tofile", "Redirection to url 'file:///etc/passwd' is not allowed"),
        ("nowhere", "HTTP status 302"),
    ],
)
def test_failures_leave_nothing_behind(server, cache, monkeypatch, kind, words):
    monkeypatch.setattr(download, "SOCKET_SECONDS", 0.2 if kind == "stuck" else 5.0)
    monkeypatch.setattr(download, "MAX_BYTES", 1 << 20)
    url = f"{server.url}/{kind}/fra.txt"
    start = time.monotonic()
    message = error_of(url)
    assert time.monotonic() - start < 3
    assert url.removesuffix("/fra.txt") in message and words in message
    assert "download it yourself and pass the file as `data`" in message
    assert not files(cache)


def test_refused_connections_and_unknown_hosts(cache, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        assert "refused" in error_of(f"http://127.0.0.1:{port}/fra.txt")

    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "Name or service not known" in error_of("https://no.such.host/fra.txt")
    assert not files(cache)


def test_an_interrupted_download_leaves_nothing_behind(server, cache, monkeypatch):
    def interrupted(*_):
        yield b"some"
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "_body", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download.resolve(f"{server.url}/ok/fra.txt", False)
    assert not files(cache)


def test_a_cache_that_cannot_be_written(server, cache, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("S2S_JAX_CACHE", str(tmp_path / "file" / "below"))
    assert "set S2S_JAX_CACHE" in error_of(f"{server.url}/ok/fra.txt")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("S2S_JAX_CACHE", str(cache))
    monkeypatch.setattr("os.fsync", full)
    assert "No space left on device" in error_of(f"{server.url}/ok/fra.txt")
    assert not files(cache)
