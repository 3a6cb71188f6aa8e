import pytest

from s2s_jax.errors import UserError
from s2s_jax.evaluation.fingerprint import read_training_sources, trained_on, write_training_sources
from s2s_jax.runs.folder import TRAINING_SOURCES

SOURCES = [f"Sentence {i}, été." for i in range(300)]


def test_what_was_trained_on_is_known_again(tmp_path):
    write_training_sources(tmp_path, [*SOURCES, *SOURCES])
    found = read_training_sources(tmp_path)
    assert trained_on(found, SOURCES).all()
    assert not trained_on(found, [s.lower() for s in SOURCES]).any()
    assert trained_on(found, ["new", SOURCES[7], ""]).tolist() == [False, True, False]
    assert len(found) == len(SOURCES)


def test_the_file_is_compact_and_holds_no_text(tmp_path):
    write_training_sources(tmp_path, SOURCES)
    content = (tmp_path / TRAINING_SOURCES).read_bytes()
    assert len(content) == 32 + 8 * len(SOURCES)
    assert b"Sentence" not in content
    assert [path.name for path in tmp_path.iterdir()] == [TRAINING_SOURCES]


def test_the_order_of_the_sources_does_not_matter(tmp_path):
    write_training_sources(tmp_path, SOURCES)
    first = (tmp_path / TRAINING_SOURCES).read_bytes()
    write_training_sources(tmp_path, SOURCES[::-1])
    assert (tmp_path / TRAINING_SOURCES).read_bytes() == first


def test_a_run_without_the_file_does_not_say(tmp_path):
    assert read_training_sources(tmp_path) is None


def test_any_damage_is_a_user_error(tmp_path):
    write_training_sources(tmp_path, SOURCES[:3])
    path = tmp_path / TRAINING_SOURCES
    whole = path.read_bytes()
    damaged = [whole[:length] for length in range(len(whole))] + [whole + b"\0" * 8]
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 4
        damaged.append(bytes(flipped))
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"training_sources\.bin is damaged"):
            read_training_sources(tmp_path)


def test_what_cannot_be_read_or_written_is_a_user_error(tmp_path):
    (tmp_path / TRAINING_SOURCES).mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        read_training_sources(tmp_path)
    with pytest.raises(UserError, match="cannot be written"):
        write_training_sources(tmp_path, SOURCES)
    with pytest.raises(UserError, match="cannot be written"):
        write_training_sources(tmp_path / "missing", SOURCES)
