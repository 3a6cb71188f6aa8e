"""Data by URL or by name: downloaded once, kept in the user's cache, complete or not at all."""

import hashlib
import http.client
import os
import re
import string
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Generator
from contextlib import closing
from pathlib import Path, PureWindowsPath

from rich.progress import DownloadColumn, TransferSpeedColumn

from s2s_jax.errors import UserError
from s2s_jax.runtime.cache import cache_folder
from s2s_jax.runtime.files import replacing, safe_name, shown
from s2s_jax.runtime.progress_bar import progress_bar

MAX_BYTES = 256 << 20
SOCKET_SECONDS = 30.0
_CHUNK_BYTES = 1 << 16
_MANYTHINGS = "https://www.manythings.org/anki/"
_NAME = re.compile(r"[a-z]{3}-eng")
# What people call the file of such a name, or its archive.
_MANYTHINGS_FILE = re.compile(r"(?!eng)([a-z]{3})(-eng)?\.(txt|zip)")
# Two letters at least: `C:\fra.txt` is a path.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


def resolve(data: str, progress: bool, option: str = "data") -> Path:
    """The path of the data: a file as it is, a URL or a name by way of the cache.

    Args:
      data: a path, an http(s) URL, or the name of an archive of manythings.org ("fra-eng").
        Anything else that may be a path is returned as one, for the reader to complain about.
      progress: show a progress bar on stderr while downloading, if that is a terminal.
      option: what the data were given by, for messages.

    Raises:
      UserError: the URL is of another kind, or cannot be downloaded or stored; or the data is
        neither a file nor a name.
    """
    if os.path.exists(data):
        return Path(data)
    if _NAME.fullmatch(data):
        url = f"{_MANYTHINGS}{data}.zip"
    elif _SCHEME.match(data):
        url = _checked(data, option)
    elif match := _MANYTHINGS_FILE.fullmatch(PureWindowsPath(data).name.lower()):
        raise UserError(
            f"`{option}` needs a file, but there is no {shown(data)}; check the path, or give"
            f" `{option}` {match[1]}-eng, which downloads the pairs of manythings.org"
        )
    elif re.fullmatch(r"[\w-]+", data):
        raise _neither(data, option)
    else:
        return Path(data)
    # A folder for each URL keeps the file's own name, after which runs are named.
    digest = hashlib.sha256(url.encode()).hexdigest()[:16]
    name = urllib.parse.unquote(urllib.parse.urlsplit(url).path).rpartition("/")[2]
    path = cache_folder() / digest / safe_name(name)
    try:
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            body = _body(url, path.name, progress, option)
            with closing(body), replacing(path) as temporary, temporary.open("wb") as file:
                file.writelines(body)
    except OSError as error:
        raise UserError(
            f"the download cannot be stored in {shown(path.parent)}:"
            f" {shown(error.strerror or error)}; set S2S_JAX_CACHE to a folder that can be written"
        ) from error
    return path


def _checked(url: str, option: str) -> str:
    """The URL without its fragment and with everything quoted that has to be."""
    try:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError(url)
        parts.netloc.encode()  # an argument that was not UTF-8 arrives as lone surrogates
        path = urllib.parse.quote(parts.path, string.punctuation)
        query = urllib.parse.quote(parts.query, string.punctuation)
    except ValueError as error:
        raise _neither(url, option) from error
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def _neither(data: str, option: str) -> UserError:
    return UserError(
        f"`{option}` needs a file that exists, an http(s) URL or a name such as fra-eng, but is"
        f" {shown(data)!r}; check the path, or download the file yourself"
    )


def _body(url: str, name: str, progress: bool, option: str) -> Generator[bytes]:
    """The bytes behind the URL, all of them; any fault of the network becomes a UserError."""
    # manythings.org refuses urllib's default agent.
    request = urllib.request.Request(url, headers={"User-Agent": "s2s_jax"})
    total = 0
    try:
        with urllib.request.urlopen(request, timeout=SOCKET_SECONDS) as response:
            if response.headers.get_content_type() == "text/html":
                raise ValueError("the server sent a web page (text/html) instead of data")
            expected = getattr(response, "length", None)  # None when the server does not say
            figures = DownloadColumn(), TransferSpeedColumn()
            with progress_bar(*figures, enabled=progress) as bar:
                task = bar.add_task(name, total=expected)
                while max(total, expected or 0) <= MAX_BYTES:
                    # read1 returns what is there, where read would wait for a full chunk.
                    chunk = response.read1(_CHUNK_BYTES)
                    if not chunk:
                        break
                    total += len(chunk)
                    yield chunk
                    bar.advance(task, len(chunk))
                else:
                    raise ValueError(f"it is larger than the limit of {MAX_BYTES >> 20} MiB")
        if total == 0:
            raise ValueError("the server sent nothing")
        if total < (expected or 0):
            raise ValueError(f"it broke off after {total} of {expected} bytes")
    except (OSError, http.client.HTTPException, ValueError) as error:
        names = f" ({_MANYTHINGS} lists the names)" if url.startswith(_MANYTHINGS) else ""
        raise UserError(
            f"cannot download {shown(url)}: {shown(_reason(error))}{names};"
            f" download it yourself and pass the file as `{option}`"
        ) from error


def _reason(error: Exception) -> str:
    """Why a download failed."""
    if isinstance(error, TimeoutError):
        return f"nothing came for {SOCKET_SECONDS:g} seconds"
    cause = getattr(error, "reason", error)
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        reason = str(cause).partition("\n")[0]
        return f"the server answered HTTP status {error.code} ({reason})"
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
