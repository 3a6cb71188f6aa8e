"""Data files of every kind, as `read_pairs` sees them."""

import gzip
import io
import os
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from s2s_data_testing import GOOD, LINES, PAIRS, error_of, read, write

from s2s_jax.data.corpus import Corpus, Pair, Skipped, normalize
from s2s_jax.data.reading import files as reading
from s2s_jax.data.reading.lines import MAX_LINE_BYTES
from s2s_jax.errors import UserError

# Bytes in which the shapes that matter are likely: tabs, line ends, marks, NUL, broken UTF-8.
data_bytes = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *(b"\t", b"\n", b"\r\n", b"\r", b"\0", b"a", b"b", b" ", b"a\tb\n", b"\xc3\xa9"),
                *(
                    b"\xff\xfe",
                    b"\xef\xbb\xbf",
                    b"\xe2\x80\xa8",
                    b"\xc2\x85",
                    b"e\xcc\x81",
                    b"\xe9",
                ),
                *(b'"', b'""', b",", b";", b"|||", b'{"a":"', b'","b":"', b'"}\n', b"1", b"en"),
            ]
        ),
        st.binary(max_size=4),
    ),
    max_size=30,
).map(b"".join)


SUFFIXES = [".gz", ".zip", "", ".csv", ".jsonl", ".json"]


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo("x", (2020, 1, 1, 0, 0, 0))
            member.filename = name  # as it is: the constructor would repair it
            member.compress_type = method
            archive.writestr(member, content)
    return buffer.getvalue()


def outcome(path: Path, **options) -> Corpus | None:
    """The corpus, or None for a UserError, which must then be one line."""
    try:
        return read(path, **options)
    except UserError as error:
        assert str(error).isprintable() and ";" in str(error)
        return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


# Properties


@given(content=data_bytes, num_samples=st.integers(0, 3), swap=st.booleans())
def test_any_bytes_give_a_corpus_or_one_line_and_the_same_in_every_form(
    folder, content, num_samples, swap
):
    assume(not content.startswith((b"\x1f\x8b", b"PK\3\4")))
    options = {"num_samples": num_samples, "swap": swap}
    plain = outcome(write(folder, "a.txt", content), **options)
    assert outcome(write(folder, "a.txt.gz", gzip.compress(content)), **options) == plain
    assert outcome(write(folder, "z.zip", zipped({"a.txt": content})), **options) == plain
    if plain:
        assert 0 < len(plain.pairs) == len(set(plain.pairs))
        assert len(plain.pairs) <= (num_samples or len(plain.pairs))
        assert all(side and normalize(side) == side for pair in plain.pairs for side in pair)
        assert all(s.count >= len(s.first_lines) > 0 for s in plain.skipped.values())


@given(content=data_bytes, suffix=st.sampled_from(SUFFIXES))
def test_any_bytes_under_any_suffix(folder, content, suffix):
    found = outcome(write(folder, f"raw{suffix}", content))
    assert found is None or found.pairs


@settings(max_examples=300)
@given(
    form=st.sampled_from([".gz", ".zip"]),
    edits=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4),
    keep=st.integers(0, 400),
)
def test_damaged_archives_give_a_corpus_or_one_line(folder, form, edits, keep):
    whole = gzip.compress(GOOD) if form == ".gz" else zipped({"_about.txt": b"", "a.txt": GOOD})
    content = bytearray(whole)
    for place, value in edits:
        content[place % len(content)] = value
    found = outcome(write(folder, f"damaged{form}", bytes(content[: keep or None])))
    assert found is None or found.pairs


# Forms


@pytest.mark.parametrize(
    "content", [GOOD.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + GOOD, GOOD[:-1]]
)
def test_line_ends_and_byte_order_mark_change_nothing(tmp_path, content):
    assert read(write(tmp_path, "a.txt", content)) == Corpus(PAIRS, {}, LINES)


def test_only_a_line_feed_ends_a_line(tmp_path):
    path = write(
        tmp_path, "a.txt", "a\u2028b\tc\u2029d\ne\x0bf\tg\nh\x85i\tj\nk\tl\rm\tn\n".encode()
    )
    corpus = read(path)
    assert corpus.pairs == [Pair("a\u2028b", "c\u2029d")]
    assert corpus.skipped == {"control character": Skipped(3, (2, 3, 4))}


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_a_line_may_have_exactly_so_many_bytes(tmp_path, end):
    longest = b"a\t" + b"b" * (MAX_LINE_BYTES - 2)
    path = write(tmp_path, "a.txt", b"x\ty\n" + longest + b"b" + end)
    assert read(path).skipped == {"line too long": Skipped(1, (2,))}
    assert len(read(write(tmp_path, "b.txt", longest + end)).pairs) == 1


def test_a_huge_line_is_not_held_in_memory(tmp_path):
    path = write(tmp_path, "a.txt", b"\xff" * (30 << 20) + b"\na\tb\n")
    tracemalloc.start()
    corpus = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert corpus == Corpus([Pair("a", "b")], {"line too long": Skipped(1, (1,))}, [2])
    assert peak < 4 << 20


@pytest.mark.parametrize("file_name", ["fra.txt.gz", "FRA.GZ", "fra.bin"])
def test_gzip_is_read_by_suffix_or_content(tmp_path, file_name):
    corpus = read(write(tmp_path, file_name, gzip.compress(GOOD) + gzip.compress(b"a\tb")))
    assert corpus.pairs == [*PAIRS, Pair("a", "b")]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("file_name", ["fra-eng.zip", "download"])
def test_zip_is_read_by_its_one_text(tmp_path, method, file_name):
    members = {"_about.txt": b"x", "folder.txt/": b"", "__MACOSX/._fra.txt": b"x", "a.jpg": b"x"}
    content = zipped({**members, "deep/Fra.TXT": GOOD}, method)
    assert read(write(tmp_path, file_name, content)) == Corpus(PAIRS, {}, LINES)
    assert [path.name for path in tmp_path.iterdir()] == [file_name]  # nothing was unpacked


# Refusals


def test_missing_files_and_folders(tmp_path):
    assert "there is no" in error_of(tmp_path / "fra.txt")
    assert "there is no" in error_of("fra_eng")
    assert "there is no" in error_of("nul\0byte") and "\\x00" in error_of("nul\0byte")
    assert "there is no" in error_of(write(tmp_path, "file", GOOD) / "below")
    assert "folder" in error_of(tmp_path)
    assert "cannot be opened" in error_of("x" * 5000)
    assert "line\\nbreak" in error_of("line\nbreak")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_special_files_are_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "pipe or a device" in error_of(tmp_path / "pipe")
    assert "pipe or a device" in error_of("/dev/zero")


def test_unreadable_file(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(reading, "open", refuse, raising=False)
    assert "permissions" in error_of(write(tmp_path, "a.txt", GOOD))


@pytest.mark.parametrize("fault", [OSError(5, "Input/output error"), MemoryError()])
def test_a_fault_of_the_machine_is_not_taken_for_a_broken_file(tmp_path, monkeypatch, fault):
    class Faulty(io.FileIO):
        def read(self, size=-1):
            if self.tell():
                raise fault
            return super().read(size)

    monkeypatch.setattr(reading, "open", Faulty, raising=False)
    for name, content in (("a.txt", GOOD * 20_000), ("a.gz", gzip.compress(os.urandom(1 << 20)))):
        message = error_of(write(tmp_path, name, content))
        assert message.endswith("; try again") and "broken" not in message


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf"])
def test_empty_files(tmp_path, content):
    assert "is empty" in error_of(write(tmp_path, "a.txt", content))
    assert "is empty" in error_of(write(tmp_path, "a.gz", gzip.compress(content)))
    assert "is empty" in error_of(write(tmp_path, "a.zip", zipped({"a.txt": content})))
    assert "is empty" in error_of(write(tmp_path, "b.zip", b""))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_other_unicode_encodings(tmp_path, encoding):
    content = GOOD.decode().encode(encoding)
    assert "save it as UTF-8" in error_of(write(tmp_path, "a.txt", content))
    big_endian = "\ufeff".encode(f"{encoding}-be") + GOOD.decode().encode(f"{encoding}-be")
    assert "save it as UTF-8" in error_of(write(tmp_path, "a.txt", big_endian))
    unmarked = GOOD.decode().encode(f"{encoding}-le")
    assert "looks like UTF-16" in error_of(write(tmp_path, "a.txt", unmarked))
    accented = "é\tê\n".encode(f"{encoding}-le")
    assert "looks like UTF-16" in error_of(write(tmp_path, "a.txt", accented))


def test_invalid_utf8_names_line_and_byte(tmp_path):
    message = error_of(write(tmp_path, "a.txt", GOOD + "caf\u00e9\tx\n".encode("latin1")))
    assert "line 4" in message and "0xe9 at position 4" in message
    assert 'cp1252 ("caf\u00e9\\tx")' in message and "`encoding` cp1252" in message
    assert "iconv -f cp1252 -t utf-8" in message
    surrogate = error_of(write(tmp_path, "a.txt", b"\xed\xa0\x80\tx\n"))
    assert "line 1" in surrogate and "0xed" in surrogate


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({}, "has none"),
        ({"_about.txt": b"x", "a.jpg": b"x", "__MACOSX/a.txt": b"x"}, "has none"),
        ({"a.txt": GOOD, "b/c.tsv": GOOD}, "has 2: a.txt, b/c.tsv"),
        ({f"{n}.txt": GOOD for n in range(9)}, "has 9: 0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 4"),
        ({"[Content_Types].xml": b"x", "xl/a.xml": b"x"}, "office document"),
    ],
)
def test_zip_contents_that_are_refused(tmp_path, members, words):
    assert words in error_of(write(tmp_path, "a.zip", zipped(members)))


@pytest.mark.parametrize(
    ("local", "central", "value", "words"),
    [(6, 8, 1, "encrypted"), (8, 10, 99, "not supported")],
)
def test_zip_kinds_that_are_refused(tmp_path, local, central, value, words):
    content = bytearray(zipped({"a.txt": GOOD}))
    content[local] = content[content.index(b"PK\1\2") + central] = value
    assert words in error_of(write(tmp_path, "a.zip", bytes(content)))


def test_broken_archives(tmp_path):
    packed, archive = gzip.compress(GOOD), zipped({"a.txt": GOOD}, zipfile.ZIP_STORED)
    wrong_sum = packed[:-8] + bytes(4) + packed[-4:]
    for content in (packed[:-1], packed[:15], wrong_sum, b"plain\ttext\n", packed + b"garbage"):
        assert "cannot be read" in error_of(write(tmp_path, "a.txt.gz", content))
    for content in (archive[:-30], archive[40:], archive.replace(b"Go.", b"No."), b"plain"):
        assert "fresh copy" in error_of(write(tmp_path, "a.zip", content))


def test_an_archive_may_unpack_to_more_than_memory_should_hold(tmp_path):
    long = b"a\tb\n" + b"a\tb\n" * (1 << 21)
    path = write(tmp_path, "a.gz", gzip.compress(long, compresslevel=1))
    tracemalloc.start()
    corpus = read(path, num_samples=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert corpus.pairs == [Pair("a", "b")] and corpus.unread == 1 << 21
    assert peak < 64 << 20
