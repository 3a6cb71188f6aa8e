"""The page and its HTTP interface as a Starlette application."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import socket
from collections.abc import AsyncIterator, Collection
from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.errors import UserError, quote_options
from s2s_jax.serving.output import SURE, UNSURE
from s2s_jax.serving.web.about import about
from s2s_jax.serving.web.batcher import Busy
from s2s_jax.serving.web.questions import DEFAULTS, MOST_ANSWERS, MOST_BEAM, read_question
from s2s_jax.serving.web.service import MOST_UNITS, Service

MOST_BYTES = 64 << 10
"""Of a request's body."""

_READING = 10.0  # Seconds that a client has to send it.
_MOST_MESSAGE = 300  # Characters of an error.
_PAGE = Path(__file__).parent / "page"
_FILES = {"/": "index.html", "/page.css": "page.css", "/page.js": "page.js"}
_HEADERS = {
    # Nothing from elsewhere, and no script but the page's own.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


def make_app(service: Service, hosts: Collection[str] = ()) -> Starlette:
    """The application.

    Args:
      service: what answers.
      hosts: names of this machine in addition to its addresses and `localhost`; one that
        begins with a dot stands for all that end so.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with service.batcher.running():
            yield

    described = {
        "runs": [
            {"name": name, **about(translator)}
            for name, translator in zip(service.names, service.translators, strict=True)
        ],
        "defaults": {"length_penalty": DecodeConfig().length_penalty, **DEFAULTS},
        "limits": {"beam": MOST_BEAM, "n_best": MOST_ANSWERS, "units": MOST_UNITS},
        "confidence": {"sure": SURE, "unsure": UNSURE},
    }

    async def runs(request: Request) -> Response:
        return JSONResponse(described)

    async def translate(request: Request) -> Response:
        question = read_question(await _body(request), service.names)
        answers = await service.answer(question)
        return JSONResponse({"run": service.names[question.run], "answers": answers})

    async def file(request: Request) -> Response:
        return FileResponse(_PAGE / _FILES[request.url.path])

    routes = [Route(path, file) for path in _FILES]
    routes += [Route("/api/runs", runs), Route("/api/translate", translate, methods=["POST"])]
    return Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(_Guard, hosts=hosts)],
        exception_handlers={
            UserError: lambda request, error: _refusal(400, str(error)),
            Busy: lambda request, error: _refusal(503, "too many are asking; try again soon."),
            HTTPException: _http_error,
            Exception: lambda request, error: _refusal(500, "this failed; the terminal says why."),
        },
    )  # fmt: skip


async def _body(request: Request) -> bytes:
    """The body of a request.

    Raises:
      HTTPException: when it is too large or takes too long.
    """
    body = b""
    try:
        async with asyncio.timeout(_READING):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise HTTPException(413, f"the request is larger than {MOST_BYTES:,} bytes.")
    except TimeoutError:
        raise HTTPException(408, f"the request took more than {_READING:g} s to arrive.") from None
    except ClientDisconnect:
        raise HTTPException(400, "the request is not complete.") from None
    return body


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = error.detail
    if error.status_code == 404:
        message = "there is nothing here; the page is at /, the answers at /api/translate."
    elif error.status_code == 405:
        message = f"this takes {(error.headers or {}).get('Allow', 'another method')} only."
    return _refusal(error.status_code, message, error.headers)


def _refusal(status: int, message: str, headers: object = None) -> Response:
    """An error as the interface gives it: one line of JSON."""
    message = " ".join(quote_options(message).split())
    if len(message) > _MOST_MESSAGE:
        message = message[:_MOST_MESSAGE] + " ..."
    more = {"retry-after": "1"} if status == 503 else {}
    more |= dict(headers) if isinstance(headers, dict) else {}
    # A client that is refused may still be sending.
    more |= {"connection": "close"} if status in (408, 413) else {}
    return JSONResponse({"error": message}, status, more)


class _Guard:
    """Refuses what other sites make a browser send, and tells browsers to load nothing from them.

    A site can give its own name the address of this machine (DNS rebinding), so the name that was
    asked for must be one of this machine's; an address cannot be given away. And a page of another
    origin may not ask at all: browsers say so in `Sec-Fetch-Site` or `Origin`.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self.app = app
        own = {"localhost", socket.gethostname().lower()}
        self.hosts = own | {name.lower() for name in hosts if not name.startswith(".")}
        self.endings = tuple(name.lower() for name in hosts if name.startswith("."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        headers = Headers(scope=scope)
        if problem := self._problem(headers, scope["method"]):
            return await _refusal(403, problem)(scope, receive, guarded)
        return await self.app(scope, receive, guarded)

    def _problem(self, headers: Headers, method: str) -> str | None:
        host = _name(headers.get("host", ""))
        if not (_is_address(host) or host in self.hosts or host.endswith(self.endings or "/")):
            return f"this server does not answer as {host!r}; name it with `host`."
        if method in ("GET", "HEAD"):
            return None
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None:
            foreign = site not in ("same-origin", "none")
        else:
            foreign = origin is not None and origin.partition("://")[2] != headers.get("host")
        return "pages of other sites may not ask this server." if foreign else None


def _name(host: str) -> str:
    """The name or the address in a Host header."""
    found = re.fullmatch(r"\[([0-9a-fA-F:.]+)\](?::\d*)?|([^:\[\]/@\s]*)(?::\d*)?", host)
    return (found[1] or found[2] or "").lower() if found else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
