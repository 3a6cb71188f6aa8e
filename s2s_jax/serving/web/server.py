"""The page on a port of this machine, for a command or for a cell of a notebook."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import uvicorn

from s2s_jax.config.web import WebConfig
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.serving.web.app import make_app
from s2s_jax.serving.web.service import Service

COLAB = (".colab.dev", ".googleusercontent.com")
"""Endings of the names by which Colab's proxy is asked for a port."""

_MOST_CONNECTIONS = 512
_HEIGHT = 900  # Of the page in a notebook, in pixels.


def listen(config: WebConfig) -> socket.socket:
    """A socket that listens at the page's address.

    Raises:
      UserError: when the port is in use, or the address is none of this machine's.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        return socket.create_server((config.host, config.port), family=family)
    except OSError as error:
        where = f"{config.host} port {config.port}"
        if error.errno == errno.EADDRINUSE:
            raise UserError(
                f"{where} is in use; take another `port`, or `port` 0 for a free one."
            ) from None
        reason = error.strerror or error
        raise UserError(f"{where} cannot be listened on: {reason}; see `host`.") from None


def address(server: socket.socket) -> str:
    """The page's address, as seen from this machine."""
    host, port = server.getsockname()[:2]
    host = str({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host))
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextlib.contextmanager
def running(
    service: Service, server: socket.socket, hosts: Sequence[str] = ()
) -> Iterator[uvicorn.Server]:
    """Serves the page inside the block, in a thread of its own; closes the socket at its end.

    The service has been prepared; `hosts` are as for `make_app`.
    """
    config = uvicorn.Config(
        make_app(service, hosts),
        log_level="error",
        access_log=False,
        server_header=False,
        ws="none",
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=2,
    )
    serving = uvicorn.Server(config)
    thread = threading.Thread(target=serving.run, args=([server],), daemon=True)
    thread.start()
    try:
        yield serving
    finally:
        serving.should_exit = True
        thread.join()
        server.close()


def serve(translators: Sequence[Translator], config: WebConfig, server: socket.socket) -> None:
    """Serves the page until Ctrl-C.

    Raises:
      KeyboardInterrupt: at Ctrl-C, when the server has stopped.
    """
    service = _prepared(translators)
    hosts = (config.host, *(COLAB if config.share else ()))
    with running(service, server, hosts):
        print(f"{address(server)} answers; Ctrl-C stops it.", flush=True)
        if config.share:
            _show_in_colab(server)
        threading.Event().wait()


def show(*runs: Translator | str | Path, height: int = _HEIGHT) -> Any:
    """The page in the cell of a notebook, as long as its kernel runs.

    Args:
      runs: translators or run folders to choose from.
      height: of the page, in pixels.

    Returns:
      What the notebook shows; None in Colab, which shows it by itself.
    """
    from IPython.display import IFrame

    translators = [run if isinstance(run, Translator) else Translator.load(run) for run in runs]
    server = listen(WebConfig(port=0))
    stack = contextlib.ExitStack()
    stack.enter_context(running(_prepared(translators), server, COLAB if _in_colab() else ()))
    _SHOWN.append(stack)
    if _in_colab():
        return _show_in_colab(server, height)
    return IFrame(address(server), "100%", height)


_SHOWN: list[contextlib.ExitStack] = []  # Pages end with the process, not when they are collected.


def check_share() -> None:
    """Raises `UserError` where `share` cannot work."""
    if not _in_colab():
        raise UserError(
            "`share` shows the page in a Colab notebook, from a cell with %run decode.py --web "
            "--share; elsewhere give `host` 0.0.0.0 in a network that you trust."
        )


def _in_colab() -> bool:
    """Whether this process is the kernel of a notebook in Colab."""
    kernel = sys.modules.get("IPython")
    if kernel is None or kernel.get_ipython() is None:
        return False
    try:
        return importlib.util.find_spec("google.colab") is not None
    except ModuleNotFoundError:  # There is no package `google`.
        return False


def _show_in_colab(server: socket.socket, height: int = _HEIGHT) -> None:
    from google.colab import output  # pyright: ignore[reportMissingImports]

    output.serve_kernel_port_as_iframe(server.getsockname()[1], height=str(height))


def _prepared(translators: Sequence[Translator]) -> Service:
    service = Service(translators)
    print(f"compiling what {', '.join(service.names)} needs ...", flush=True)
    service.prepare()
    return service
