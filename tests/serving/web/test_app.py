"""The HTTP interface, as clients of any kind see it."""

import concurrent.futures
import json
import math

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from s2s_jax.decoding.alignment import align
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.serving.web.app import MOST_BYTES, make_app
from s2s_jax.serving.web.batcher import Batcher, Busy
from s2s_jax.serving.web.service import Service

BASE = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def client(service):
    with TestClient(make_app(service), BASE, raise_server_exceptions=False) as client:
        yield client


def ask(client, **values):
    done = client.post("/api/translate", json=values)
    assert done.status_code == 200, done.text
    return done.json()["answers"]


def is_refusal(done):
    """Whether a response is an error as the interface gives it: one line of JSON."""
    values = json.loads(done.text)
    return (
        done.status_code in (400, 403, 404, 405, 408, 413, 503)
        and list(values) == ["error"]
        and len(values["error"]) < 320
        and "\n" not in done.text
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run", "search"),
    [
        ("attending", {"beam": 1}),
        ("attending", {"beam": 3, "n_best": 2, "length_penalty": 1}),
        ("plain", {"sample": True, "seed": 4}),
    ],
    ids=str,
)
def test_the_answers_are_those_of_the_translator(client, translators, run, search):
    translator = translators[run == "plain"]
    texts = ["abc", "h", "abcdefg", "", "?", "ba d"]
    found = ask(client, texts=texts, run=run, **search)
    config = DecodeConfig(**search, scores=True)
    for answer, expected in zip(found, translator.translate(texts, config), strict=True):
        assert answer["source"] == expected.source
        assert [h["text"] for h in answer["n_best"]] == [h.text for h in expected.n_best]
        assert answer["complete"] == expected.complete
        assert answer["tokens"] == list(expected.n_best[0].tokens)
        assert answer["log_probs"] == pytest.approx(expected.n_best[0].log_probs, abs=1e-3)
        for mine, theirs in zip(answer["n_best"], expected.n_best, strict=True):
            assert mine["score"] == pytest.approx(theirs.score or 0, abs=1e-3)
        assert len(answer["warnings"]) == len(expected.problems)


def test_attention_is_that_of_align(client, translators):
    (found,) = ask(client, text="abc", attention=True, run="attending")
    expected = align(translators[0], "abc", found["text"])
    if not found["complete"]:  # `align` adds the end that was not reached.
        expected = expected._replace(target=expected.target[:-1], weights=expected.weights[:-1])
    assert found["attention"]["source"] == list(expected.source)
    assert found["tokens"] == list(expected.target)
    for row, weights in zip(found["attention"]["weights"], expected.weights, strict=True):
        assert row == pytest.approx(weights.tolist(), abs=1e-3)
        assert sum(row) == pytest.approx(1, abs=0.01)


def test_a_model_without_attention_says_so(client):
    (found,) = ask(client, text="abc", attention=True, run="plain")
    assert found["attention"] is None


def test_people_who_ask_at_once_get_their_own_answers(client, translators):
    texts = ["abcdefgh"[: 1 + n % 8] for n in range(60)]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda text: ask(client, text=text, beam=1)[0], texts))
    expected = {text: translators[0].translate([text])[0].text for text in set(texts)}
    assert [answer["text"] for answer in found] == [expected[text] for text in texts]


def test_the_page_needs_nothing_from_elsewhere(client):
    for path in ("/", "/page.css", "/page.js"):
        done = client.get(path)
        assert done.status_code == 200
        assert "default-src 'none'" in done.headers["content-security-policy"]
        others = done.text.replace("http://www.w3.org/2000/svg", "")  # A name, not an address.
        assert "http:" not in others and "https:" not in others and "//cdn" not in others


def test_the_page_knows_the_runs(client):
    attending, plain = client.get("/api/runs").json()["runs"]
    assert (attending["name"], plain["name"]) == ("attending", "plain")
    assert attending["attention"] and not plain["attention"]
    assert attending["curve"] == [[1, 2.5, None]]
    assert attending["evaluation"] == {"sentences": 4, "exact": 1}
    assert attending["examples"] == [["a b", "uv"], ["c", "w"]]
    assert "<h1>A card</h1>" in attending["card"] and "license" not in attending["card"]
    assert plain["card"] == "" and plain["curve"] == plain["examples"] == []


def test_a_strangers_card_brings_no_html_of_its_own(client):
    card = client.get("/api/runs").json()["runs"][0]["card"]
    assert "comment" not in card
    assert "<script" not in card and "<img" not in card and "href" not in card


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000", "192.168.1.7:8000"]
)
def test_this_machine_is_asked_by_its_own_names(client, host):
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil.example:80", "a@localhost",
     "local\u00e9".encode(), "[::1", "localhost:80:80", "x.colab.dev"],
    ids=str,
)  # fmt: skip
def test_another_name_is_refused(client, host):
    """What a browser sends when a site has given its own name this machine's address."""
    assert client.get("/", headers={"host": host}).status_code == 403
    assert is_refusal(client.post("/api/translate", json={"text": "a"}, headers={"host": host}))


def test_names_that_were_given_are_answered(translators):
    app = make_app(Service(translators), ["my-host", ".colab.dev"])
    with TestClient(app, BASE) as client:
        for host in ("my-host:80", "My-Host", "x-8000.prod.colab.dev"):
            assert client.get("/", headers={"host": host}).status_code == 200
        for host in ("not-my-host", "evilcolab.dev", "colab.dev.evil.example"):
            assert client.get("/", headers={"host": host}).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"origin": BASE}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": BASE}, 403),
        ({"origin": "http://127.0.0.1:8001"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
    ids=str,
)
def test_pages_of_other_sites_may_not_ask(client, headers, status):
    done = client.post("/api/translate", json={"text": "a", "beam": 1}, headers=headers)
    assert done.status_code == status
    assert status == 200 or is_refusal(done)


def test_a_body_is_bounded(client):
    done = client.post("/api/translate", content=b" " * (MOST_BYTES + 1))
    assert done.status_code == 413 and is_refusal(done)


def test_a_text_is_bounded(client):
    done = client.post("/api/translate", json={"texts": ["a", "a" * 257]})
    assert done.status_code == 400 and is_refusal(done)
    assert "text 2 has 257 characters; at most 256" in done.json()["error"]


def test_a_full_queue_says_when_to_come_back(client, monkeypatch):
    async def full(self, kind, items):
        raise Busy

    monkeypatch.setattr(Batcher, "ask", full)
    done = client.post("/api/translate", json={"text": "a"})
    assert done.status_code == 503 and is_refusal(done)
    assert int(done.headers["retry-after"]) > 0


def test_a_fault_of_ours_tells_a_client_nothing(client, monkeypatch):
    async def fail(self, kind, items):
        raise RuntimeError("/home/me/secret")

    monkeypatch.setattr(Batcher, "ask", fail)
    done = client.post("/api/translate", json={"text": "a"})
    assert done.status_code == 500 and "secret" not in done.text


PATHS = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), max_size=30)


@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "X-Y"]),
    PATHS | st.sampled_from(["api/translate", "api/runs", "../etc/passwd", "api/translate/"]),
    st.binary(max_size=200),
)
@example("POST", "api/translate", b'{"text": "\\ud800"}')
@example("POST", "api/translate", b"[" * 60_000)
@example("POST", "api/translate", b'{"text": "a", "seed": ' + b"9" * 5_000 + b"}")
@example("POST", "api/translate", b'{"' + b"a" * 60_000 + b'": 1}')
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_comes_is_answered_or_refused_in_one_line(client, method, path, body):
    path = path.replace("#", "").replace("?", "")
    done = client.request(method, f"{BASE}/{path}", content=body)
    assert done.status_code == 200 or is_refusal(done), done.text


@given(st.text(max_size=16))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_text_is_answered_or_refused(client, text):
    done = client.post("/api/translate", content=json.dumps({"text": text, "beam": 1}))
    if done.status_code != 200:
        assert is_refusal(done), done.text
        return
    (answer,) = done.json()["answers"]
    assert all(math.isfinite(x) for x in answer["log_probs"])
