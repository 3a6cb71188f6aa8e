"""The page's server from start to end, and the ways to begin it that are refused."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import types
import urllib.request

import pytest
from s2s_testing import ROOT

from s2s_jax.config.web import WebConfig
from s2s_jax.errors import UserError
from s2s_jax.serving.serving import DecodeRequest, decode
from s2s_jax.serving.web import server as serving
from s2s_jax.serving.web.service import Service


def decode_page(*checkpoints, page=WebConfig(), **options):  # noqa: B008
    return decode(DecodeRequest([], {}, checkpoints, web=True, page=page, **options))


def test_a_port_in_use_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} is in use; take another `port`"):
            decode_page(page=WebConfig(port=port))


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(UserError, match="port 0 cannot be listened on"):
        decode_page(page=WebConfig(host="192.0.2.1", port=0))


def test_a_name_that_nobody_has_is_refused():
    with pytest.raises(UserError, match="cannot be listened on"):
        decode_page(page=WebConfig(host="no.such.name.invalid", port=0))


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_is_a_port(port):
    with pytest.raises(UserError, match="`port` must be"):
        WebConfig(port=port)


def test_only_this_machine_is_answered_by_default():
    with serving.listen(WebConfig(port=0)) as server:
        assert server.getsockname()[0] == "127.0.0.1"
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", serving.address(server))


def test_sharing_needs_colab():
    with pytest.raises(UserError, match="in a Colab notebook"):
        decode_page(page=WebConfig(share=True))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"web": True, "texts": ["Go."]}, "leave out texts"),
        ({"web": True, "json": True}, "leave out json"),
        ({"web": True, "search": {"beam": 3}}, "its own settings"),
        ({"page": WebConfig(port=1)}, "give --web"),
    ],
    ids=str,
)
def test_flags_that_contradict_each_other_are_refused(options, problem):
    with pytest.raises(UserError, match=problem):
        decode(DecodeRequest(**{"texts": [], "search": {}, **options}))


def test_what_is_missing_is_named(monkeypatch, uninstall):
    for name in [name for name in sys.modules if name.startswith("s2s_jax.serving.web.")]:
        monkeypatch.delitem(sys.modules, name)
    uninstall("uvicorn")
    with pytest.raises(UserError, match="pip install starlette uvicorn"):
        decode_page()


@pytest.fixture
def answering(translators):
    service = Service(translators)
    server = serving.listen(WebConfig(port=0))
    with serving.running(service, server):
        yield serving.address(server)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_documented_request_is_answered(answering):
    (line,) = re.findall(r"^curl .*$", (ROOT / "docs/web.md").read_text("utf-8"), re.M)
    line = line.replace("http://127.0.0.1:8000", answering).replace("Go.", "a b")
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=True, timeout=120)
    first, second = json.loads(done.stdout)["answers"]
    assert first["source"] == "a b" and second["source"] == "I won!"
    assert len(first["n_best"]) == 2


def test_bytes_that_are_no_http_end_nothing(answering):
    host, port = answering.removeprefix("http://").split(":")
    head = b"POST /api/translate HTTP/1.1\r\nhost: localhost\r\n"
    for sent in (
        b"\x00\xff" * 500,
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /" + b"a" * 100_000,
        head + b"content-length: -1\r\n\r\n",
        head + b"content-length: 9\r\n\r\n{",
    ):
        with socket.create_connection((host, int(port)), timeout=10) as client:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            answer = client.recv(1000)
            assert not answer or answer.startswith(b"HTTP/1.1 4")
    assert urllib.request.urlopen(answering, timeout=30).status == 200


def test_a_notebook_shows_the_page(translators, monkeypatch):
    shown = types.SimpleNamespace(IFrame=lambda *what: what)
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    monkeypatch.setattr(serving, "_SHOWN", [])
    monkeypatch.setattr(Service, "prepare", lambda self: None)
    address, width, _ = serving.show(translators[1])
    try:
        assert width == "100%"
        assert urllib.request.urlopen(address, timeout=30).status == 200
    finally:
        serving._SHOWN[0].close()


def test_colab_shows_the_page_below_the_cell(translators, monkeypatch):
    shown = []
    output = types.SimpleNamespace(
        serve_kernel_port_as_iframe=lambda port, height: shown.append((port, height))
    )
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace(output=output))
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(IFrame=None))
    monkeypatch.setattr(serving, "_in_colab", lambda: True)
    monkeypatch.setattr(serving, "_SHOWN", [])
    monkeypatch.setattr(Service, "prepare", lambda self: None)
    assert serving.show(translators[1]) is None
    ((port, _),) = shown
    try:
        asked = urllib.request.Request(f"http://127.0.0.1:{port}/")
        asked.add_header("host", f"x-{port}-colab.googleusercontent.com")
        assert urllib.request.urlopen(asked, timeout=30).status == 200
    finally:
        serving._SHOWN[0].close()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_command_answers_until_it_is_stopped(trained, tmp_path, signum):
    command = [sys.executable, ROOT / "decode.py", "--web", "--port", "0"]
    command += ["--checkpoint", trained[1]]
    process = subprocess.Popen(
        list(map(str, command)), cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        lines = [process.stdout.readline() for _ in range(2)]
        assert lines[0].startswith("compiling")
        address = re.match(r"(http://127\.0\.0\.1:\d+) answers", lines[1])[1]
        asked = urllib.request.Request(f"{address}/api/translate", b'{"text": "He eats."}')
        (answer,) = json.load(urllib.request.urlopen(asked, timeout=60))["answers"]
        assert answer["source"] == "He eats." and len(answer["n_best"]) == 4
        process.send_signal(signum)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == -signum
    assert said == "stopped\n"
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address, timeout=5)
