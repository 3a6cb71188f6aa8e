"""Data by URL or by name: downloaded once, kept in the user's cache, complete or not at all."""

import hashlib
import http.client
import io
import os
import re
import socket
import string
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

from rich.progress import DownloadColumn, TransferSpeedColumn

from s2s_jax.errors import UserError
from s2s_jax.runtime.cache import cache_folder
from s2s_jax.runtime.files import safe_name, shown
from s2s_jax.runtime.progress_bar import progress_bar

NAMES = re.compile(r"[a-z]{3}-eng")
MAX_BYTES = 256 << 20
MAX_SECONDS = 600.0
SOCKET_SECONDS = 30.0
_MAX_REDIRECTS = 10
_CHUNK_BYTES = 1 << 16
_MANYTHINGS = "https://www.manythings.org/anki/"
# Two letters at least: `C:\fra.txt` is a path.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


def resolve(data: str, progress: bool) -> Path:
    """The path of the data: a file as it is, a URL or a name by way of the cache.

    Args:
      data: a path, an http(s) URL, or the name of an archive of manythings.org ("fra-eng").
        What else may be a path comes back as one, for the reader to complain about.
      progress: show a progress bar on stderr while downloading, if that is a terminal.

    Raises:
      UserError: the URL is of another kind, or cannot be downloaded or kept; a word is neither
        a file nor a name.
    """
    if os.path.exists(data):
        return Path(data)
    if NAMES.fullmatch(data):
        url = f"{_MANYTHINGS}{data}.zip"
    elif _SCHEME.match(data):
        url = _checked(data)
    elif re.fullmatch(r"[\w-]+", data):
        raise _neither(data)
    else:
        return Path(data)
    # A folder for each URL keeps the file's own name, after which runs are named.
    digest = hashlib.sha256(url.encode()).hexdigest()[:16]
    name = urllib.parse.unquote(urllib.parse.urlsplit(url).path).rpartition("/")[2]
    path = cache_folder() / digest / safe_name(name)
    try:
        if not path.is_file():
            _store(_body(url, path.name, progress), path)
    except OSError as error:
        raise UserError(
            f"the cache folder {shown(cache_folder())} must take the download, but:"
            f" {shown(error.strerror or error)}; set S2S_JAX_CACHE to a folder that can be written"
        ) from error
    return path


def _checked(url: str) -> str:
    """The URL without its fragment and with everything quoted that has to be."""
    try:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError(url)
        parts.netloc.encode()  # an argument that was not UTF-8 comes as lone surrogates
        path = urllib.parse.quote(parts.path, string.punctuation)
        query = urllib.parse.quote(parts.query, string.punctuation)
    except ValueError as error:
        raise _neither(url) from error
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def _neither(data: str) -> UserError:
    return UserError(
        "--data needs a file that exists, an http(s) URL or a name such as fra-eng, but is"
        f" {shown(data)!r}; check the path, or download the file yourself"
    )


def _failed(url: str, reason: object) -> UserError:
    names = f" (the names stand at {_MANYTHINGS})" if url.startswith(_MANYTHINGS) else ""
    return UserError(
        f"cannot download {shown(url)}: {shown(reason)}{names};"
        " download it yourself and pass the file with --data"
    )


def _store(body: Iterator[bytes], path: Path) -> None:
    """Writes the body under another name first, so that `path` is complete or not there."""
    root = path.parent.parent
    root.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=root, suffix=".part")
    try:
        with closing(body), open(handle, "wb") as file:
            for chunk in body:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())  # a crash must not leave an empty file under the final name
        path.parent.mkdir(exist_ok=True)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _body(url: str, name: str, progress: bool) -> Iterator[bytes]:
    """The bytes behind the URL; whatever the network does wrong becomes a UserError."""
    try:
        with _open(url, time.monotonic() + MAX_SECONDS) as response:
            if response.headers.get_content_type() == "text/html":
                raise _failed(url, "the server sent a web page (text/html) instead of data")
            figures = DownloadColumn(), TransferSpeedColumn()
            with progress_bar(*figures, enabled=progress) as bar:
                task = bar.add_task(name, total=response.length)
                for chunk in _bounded(response, url):
                    yield chunk
                    bar.advance(task, len(chunk))
    except urllib.error.HTTPError as error:
        error.close()
        phrase = http.client.responses.get(error.code, "unknown")
        raise _failed(url, f"the server answered HTTP status {error.code} ({phrase})") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        cause = getattr(error, "reason", error)
        reason = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
        raise _failed(url, reason) from error


def _bounded(response: http.client.HTTPResponse, url: str) -> Iterator[bytes]:
    """The body of the response: all of it, and not more than `MAX_BYTES`."""
    expected = response.length  # None when the server does not say
    too_large = f"it is larger than the {MAX_BYTES} bytes that are taken"
    if expected is not None and expected > MAX_BYTES:
        raise _failed(url, too_large)
    total = 0
    # read1 returns what is there, where read would wait for a full chunk.
    while chunk := response.read1(_CHUNK_BYTES):
        total += len(chunk)
        if total > MAX_BYTES:
            raise _failed(url, too_large)
        yield chunk
    if total == 0:
        raise _failed(url, "the server sent nothing")
    if expected is not None and total != expected:
        raise _failed(url, f"it broke off after {total} of {expected} bytes")


def _open(url: str, deadline: float) -> http.client.HTTPResponse:
    """Opens the URL, following redirects to http(s) only.

    urllib's own redirects would also go to ftp, and read the body of each without a bound.
    """
    opener = urllib.request.OpenerDirector()
    opener.add_handler(urllib.request.ProxyHandler())
    opener.add_handler(urllib.request.HTTPDefaultErrorHandler())
    opener.add_handler(urllib.request.HTTPErrorProcessor())
    opener.add_handler(_TimedHandler(deadline))
    # manythings.org refuses urllib's default name.
    headers = {"User-Agent": "s2s_jax"}
    for _ in range(_MAX_REDIRECTS + 1):
        try:
            request = urllib.request.Request(url, headers=headers)
            return opener.open(request, timeout=SOCKET_SECONDS)
        except urllib.error.HTTPError as error:
            location = error.headers.get("Location")
            if error.code not in (301, 302, 303, 307, 308) or not location:
                raise
            error.close()
            # Headers come as latin-1, whatever they hold.
            location = urllib.parse.quote(location, string.punctuation, encoding="latin-1")
            target = urllib.parse.urljoin(url, location)
            try:
                url = _checked(target)
            except UserError:
                raise _failed(url, f"it redirects to {target}, which is not http(s)") from error
    raise _failed(url, f"more than {_MAX_REDIRECTS} redirects")


class _TimedHandler(urllib.request.AbstractHTTPHandler):
    """Opens http and https with connections whose every read looks at the clock."""

    def __init__(self, deadline: float):
        super().__init__()
        self.deadline = deadline

    def http_open(self, request):
        return self.do_open(partial(self._connect, http.client.HTTPConnection), request)

    def https_open(self, request):
        return self.do_open(partial(self._connect, http.client.HTTPSConnection), request)

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def _connect(self, connection_class, host, **options):
        connection = connection_class(host, **options)
        connection.response_class = partial(_TimedResponse, self.deadline)
        return connection


class _TimedResponse(http.client.HTTPResponse):
    """A timeout bounds one wait only; a server that trickles its headers could go on for ever."""

    def __init__(self, deadline: float, sock: socket.socket, *args, **options):
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_TimedStream(deadline, sock, self.fp.detach()))


class _TimedStream(io.RawIOBase):
    def __init__(self, deadline: float, sock: socket.socket, stream: io.RawIOBase):
        self.deadline, self.sock, self.stream = deadline, sock, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int | None:
        left = self.deadline - time.monotonic()
        if left > 0:
            self.sock.settimeout(min(left, SOCKET_SECONDS))
            try:
                return self.stream.readinto(buffer)
            except TimeoutError as error:
                if left > SOCKET_SECONDS:
                    raise TimeoutError(f"nothing came for {SOCKET_SECONDS:g} seconds") from error
        raise TimeoutError(f"not complete after {MAX_SECONDS:g} seconds")

    def close(self) -> None:
        self.stream.close()
        super().close()
