"""Data files in the forms that public ones have."""

import bz2
import io
import lzma
import re
import tarfile
import zipfile

import pytest
from s2s_data_testing import error_of, write

from s2s_jax.config import DataConfig
from s2s_jax.data.preparation import load_corpus
from s2s_jax.errors import UserError

ROWS = [("Go.", "Va !"), ('She said "yes".', "Elle a dit oui."), ("Be calm.", "Sois calme.")]


def read(path, **options):
    corpus = load_corpus(DataConfig(data=str(path), **options), 0)
    return [(pair.source, pair.target) for pair in corpus.pairs]


@pytest.mark.parametrize(
    "header",
    [
        "English words/sentences,French words/sentences",
        "Source Text,Target Text",
        "sentence1,sentence2",
        "Questions,Answers",
        "English (en),Hindi (hi)",
        "english_sentence,bengali_sentence",
        "text,intent",
    ],
)
def test_a_header_of_several_words_is_asked_about(tmp_path, header):
    path = tmp_path / "pairs.csv"
    path.write_text(f"{header}\na b,c d\ne f,g h\n")
    with pytest.raises(UserError, match=r"line 1 of .* looks like the names of its columns"):
        read(path)
    assert read(path, columns=header) == [("a b", "c d"), ("e f", "g h")]


@pytest.mark.parametrize("first", ["1,2", "(),--", "Hello,Bonjour", "words,mots"])
def test_a_pair_is_no_header(tmp_path, first):
    path = tmp_path / "pairs.csv"
    path.write_text(f"{first}\na b,c d\n")
    assert len(read(path)) == 2


def test_quotes_around_one_column_are_asked_about_though_the_other_has_some_within(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f'{source}\t"{target}"\n' for source, target in ROWS))
    with pytest.raises(UserError, match="may enclose its fields or belong to the text"):
        read(path)
    assert read(path, quotes="csv") == ROWS


def test_speech_is_text_though_one_of_it_looks_like_csv(tmp_path):
    said = [
        ('"Who is it?" "It is your mother."', "“是谁？”“是你妈妈。”"),
        ('"Why not?" "Because I do not want to."', '"你为什么不去？""因为我不想去。"'),
        ("I want beef, too.", '"我也要牛肉。"'),
        ('"Look," she said.', "“看啊！” 她说道。"),
        ('He answered with a "no."', "他回答“不”。"),
    ]
    path = tmp_path / "cmn.txt"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in said))
    assert read(path) == said


@pytest.mark.parametrize(
    ("compress", "suffix"),
    [(bz2.compress, ".bz2"), (bz2.compress, ""), (lzma.compress, ".xz"), (lzma.compress, "")],
)
def test_bzip2_and_xz_are_unpacked_as_they_are_read(tmp_path, compress, suffix):
    path = tmp_path / f"pairs.tsv{suffix}"
    data = compress("".join(f"{a}\t{b}\n" for a, b in ROWS).encode())
    path.write_bytes(data)
    assert read(path) == ROWS
    path.write_bytes(data[:-10])
    with pytest.raises(UserError, match="cannot be read"):
        read(path)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2"])
def test_an_archive_is_to_be_unpacked_first(tmp_path, mode):
    path, text = tmp_path / "pairs", b"a\tb\n"
    with tarfile.open(path, mode) as archive:
        member = tarfile.TarInfo("pairs.tsv")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    with pytest.raises(UserError, match=r"holds an archive \(\.tar\); unpack it"):
        read(path)
    path.write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(100))
    with pytest.raises(UserError, match=r"\(\.7z\); unpack it"):
        read(path)


def test_lines_with_something_else_between_name_the_option_for_it(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("".join(f"{a} = {b}\n" for a, b in ROWS))
    with pytest.raises(UserError, match="`separator`"):
        read(path)
    assert read(path, separator="=") == ROWS


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.tmx", b'<?xml version="1.0"?>\n<tmx>\n\t<tu>\t<seg>Go.</seg>\t<seg>Va</seg>\n', "XML"),
        ("a.txt", b"\xef\xbb\xbf<xliff version='1.2'>a\tb\n", "XML"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an office document; save"),
        ("a.pkl", b"\x80\x04\x95abc" + bytes(50), "a pickle, .* never loaded; write its pairs"),
        ("a.npy", b"\x93NUMPY\x01\x00" + bytes(100), "a pickle"),
        ("a.db", b"SQLite format 3\0" + bytes(100), "a database; write its pairs"),
        ("a.po", b'msgid "Go."\nmsgstr "Va !"\n', r"\.po is not read; write its pairs as lines of"),
    ],
)
def test_what_holds_pairs_otherwise_is_named(tmp_path, name, content, what):
    assert re.search(what, error_of(write(tmp_path, name, content)))


def test_a_spreadsheet_of_libreoffice_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.ods", "w") as file:
        for name in ("mimetype", "content.xml"):
            file.writestr(name, "x")
    assert "an office document; save its table as CSV" in error_of(tmp_path / "a.ods")
