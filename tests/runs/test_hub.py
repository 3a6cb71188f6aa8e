"""Runs on the Hub, fetched from a stand-in for it on this machine."""

import hashlib
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from s2s_pictures import make_translator, save_run

from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.runs.hub import local_folder

COMMIT = "0" * 40


class Hub(BaseHTTPRequestHandler):
    """The part of the Hub's API that fetches a model's files."""

    folder: Path

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        path = self.path.partition("?")[0]
        files = sorted(p for p in self.folder.rglob("*") if p.is_file())
        names = [file.relative_to(self.folder).as_posix() for file in files]
        if path.startswith("/api/models/me/run/revision/"):
            siblings = [{"rfilename": name} for name in names]
            return self.send({"id": "me/run", "sha": COMMIT, "siblings": siblings})
        if path.startswith("/api/models/me/run/tree/"):
            tree = [
                {"type": "file", "path": name, "size": file.stat().st_size, "oid": "0" * 40}
                for name, file in zip(names, files, strict=True)
            ]
            return self.send(tree)
        if path.startswith(f"/me/run/resolve/{COMMIT}/"):
            return self.send((self.folder / path.split("/", 5)[5]).read_bytes())
        return self.send({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})

    def send(self, body, status=200, headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        etag = hashlib.sha1(data).hexdigest()
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT, **dict(headers)}
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = save_run(tmp_path_factory.mktemp("hub") / "run", make_translator())
    (folder / "README.md").write_text("# The card\n")
    (folder / "secret.pkl").write_bytes(b"nothing that a run folder holds")
    return folder


@pytest.fixture
def hub(run, tmp_path, monkeypatch):
    """A server that has the run as me/run, and an empty cache."""
    library = pytest.importorskip("huggingface_hub.constants")
    served = Path(shutil.copytree(run, tmp_path / "served"))
    handler = type("Here", (Hub,), {"folder": served})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(library, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    template = (
        f"http://127.0.0.1:{server.server_port}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    )
    monkeypatch.setattr(library, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(library, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(library, "HF_HUB_OFFLINE", False)
    yield served
    server.shutdown()
    server.server_close()


def test_a_run_on_the_hub_answers_as_the_folder_does(hub, run):
    fetched = Translator.load("hf://me/run")
    assert fetched.translate(["abc"]) == Translator.load(run).translate(["abc"])
    assert (fetched.folder / "README.md").read_text() == "# The card\n"
    assert not list(fetched.folder.rglob("*.pkl"))
    # A `Path` has a single slash, and a revision may be named.
    assert local_folder(Path("hf://me/run@main")) == fetched.folder


def test_what_was_fetched_is_found_again_without_the_hub(hub, monkeypatch):
    folder = local_folder("hf://me/run")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert local_folder("hf://me/run") == folder


def test_a_strangers_run_is_checked(hub):
    values = json.loads((hub / "config.json").read_text())
    values["model"]["latent_dim"] = 10**6
    (hub / "config.json").write_text(json.dumps(values))
    with pytest.raises(UserError, match=r"config\.json is not as train\.py wrote it"):
        Translator.load("hf://me/run")


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("address", ["hf://me/other", "hf://me/--x..y"])
def test_a_run_that_is_not_there_is_one_line(address):
    with pytest.raises(UserError, match=f"{address} cannot be fetched: ") as raised:
        local_folder(address)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("address", ["hf://me", "hf://", "hf://a/b/c", "hf:///a/b", "hf://a/b@"])
def test_other_addresses_are_refused(address):
    with pytest.raises(UserError, match="a run on the Hub is named hf://user/name, not hf://"):
        local_folder(address)


def test_an_address_is_named_as_it_was_typed():
    """A `Path`, which flags are, has a single slash."""
    with pytest.raises(UserError, match="not hf://nonsense"):
        local_folder(Path("hf://nonsense"))


def test_without_the_library_it_says_what_to_install(uninstall):
    uninstall("huggingface_hub")
    with pytest.raises(UserError, match="pip install huggingface_hub"):
        local_folder("hf://me/run")


def test_other_folders_are_left_as_they_are():
    assert local_folder("checkpoints/fra") == Path("checkpoints/fra")
