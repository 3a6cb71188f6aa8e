"""Pairs from the forms that people keep them in."""

import csv
import io
import json
import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from s2s_data_testing import error_of, read, write

from s2s_jax.data.corpus import Pair, Skipped, normalize

TEXTS = [
    ("Go.", "Va !"),
    ("Hi, Tom.", "Salut, Tom."),
    ('He said "go".', 'Il a dit "va".'),
    ("Run!", "Cours !"),
]
PAIRS = [Pair(*texts) for texts in TEXTS]

# Texts that need quoting; a text is one line once it is read.
fields = st.text(st.sampled_from('ab ",;|^\té\n.'), min_size=1, max_size=8)


def lines(pairs, separator):
    return "".join(f"{source}{separator}{target}\n" for source, target in pairs).encode()


def as_csv(pairs, **options):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", **options).writerows(pairs)
    return text.getvalue().encode()


def as_read(texts):
    """What is read of texts: tabs and line ends are spaces, and empty sides have no place."""
    flat = [Pair(*(normalize(re.sub(r"[\t\n]+", " ", side)) for side in pair)) for pair in texts]
    return list(dict.fromkeys(pair for pair in flat if pair.source and pair.target))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@given(st.lists(st.tuples(fields, fields), min_size=1, max_size=6), st.sampled_from("\t,;|"))
def test_what_was_written_as_csv_is_read_again(folder, texts, separator):
    content = as_csv(texts, delimiter=separator, quoting=csv.QUOTE_ALL)
    layout = {"separator": separator, "columns": "1,2", "quotes": "csv"}
    path = write(folder, "a.csv", content)
    expected = as_read(texts)
    if not expected:
        assert "empty side" in error_of(path, **layout)
    else:
        assert read(path, **layout).pairs == expected


@given(st.lists(st.tuples(fields, fields), min_size=1, max_size=6))
def test_what_was_written_as_json_lines_is_read_again(folder, texts):
    content = "".join(json.dumps({"a": a, "b": b}) + "\n" for a, b in texts).encode()
    path = write(folder, "a.jsonl", content)
    expected = as_read(texts)
    if not expected:
        assert "empty side" in error_of(path)
    else:
        corpus = read(path)
        assert corpus.pairs == expected and corpus.form == "JSON lines, fields a and b"


# Separators


@pytest.mark.parametrize(
    ("name", "separator", "form"),
    [
        ("a.txt", "\t", ""),
        ("a.txt", "^", "columns 1 and 2, separated by ^"),
        ("a.txt", " ||| ", "columns 1 and 2, separated by |||"),
        ("a.txt", "|", "columns 1 and 2, separated by |"),
        ("a.txt", ";", "columns 1 and 2, separated by semicolons, quotes as in CSV"),
        ("a.csv", ";", "columns 1 and 2, separated by semicolons, quotes as in CSV"),
        ("a.csv", "\t", ""),
    ],
)
def test_a_separator_is_found(tmp_path, name, separator, form):
    corpus = read(write(tmp_path, name, lines(TEXTS, separator)))
    assert (corpus.pairs, corpus.form) == (PAIRS, form)
    given_ = read(tmp_path / name, separator=separator.strip(" ").replace("\t", "\\t"))
    assert given_.pairs == PAIRS


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_quoted_fields_are_read_as_they_were_meant(tmp_path, delimiter, quoting):
    texts = [*TEXTS, ("Two\nlines.", "Deux\nlignes."), ("One.", "Un\nou deux.")]
    path = write(tmp_path, "a.csv", as_csv(texts, delimiter=delimiter, quoting=quoting))
    corpus = read(path)
    assert corpus.pairs == [*PAIRS, Pair("Two lines.", "Deux lignes."), Pair("One.", "Un ou deux.")]
    assert corpus.lines == [1, 2, 3, 4, 5, 8] and not corpus.skipped


def test_commas_outside_of_a_csv_file_are_asked_about(tmp_path):
    path = write(tmp_path, "a.txt", lines([("Go", "Va"), ("Hi", "Salut")], ", "))
    assert "give `separator` , if" in error_of(path)
    assert read(path, separator=",").pairs == [Pair("Go", "Va"), Pair("Hi", "Salut")]


def test_two_separators_that_divide_all_lines_are_asked_about(tmp_path):
    path = write(tmp_path, "a.csv", b"March 25, 2018;2018-03-25\nMay 7, 1990;1990-05-07\n")
    message = error_of(path)
    assert "semicolons or commas; give `separator` ';' or `separator` ," in message
    assert len(read(path, separator=";").pairs) == 2


# Quotes


@pytest.mark.parametrize(
    "content",
    [
        b'"Go," he said.\tVa, dit-il.\n"Run!"\tCours !\nHe said "go".\tIl a dit "va".\n',
        b'"Yes?"\t"Oui ?"\nNo.\tNon.\n"Really?"\tVraiment ?\n',
        b'5" disk\tdisquette\n"Open\tOuvert\nx\ty\n',
    ],
)
def test_quotes_that_enclose_no_field_are_letters(tmp_path, content):
    path = write(tmp_path, "a.tsv", content)
    expected = [Pair(*line.split("\t")) for line in content.decode().splitlines()]
    assert read(path).pairs == expected
    assert read(path).form == ""


@pytest.mark.parametrize(
    "content",
    [
        b'"Go."\tVa !\n"Run!"\tCours !\n"Hi."\tSalut.\n',  # quotes in one column only
        b'"a ""b"""\tx\nHe said "go".\ty\n',
    ],
)
def test_quotes_that_may_enclose_or_not_are_asked_about(tmp_path, content):
    path = write(tmp_path, "a.tsv", content)
    assert "`quotes` csv or `quotes` text" in error_of(path)
    first = content.decode().split("\t")[0]
    assert read(path, quotes="text").pairs[0].source == first
    enclosed = first[1:-1].replace('""', '"')
    assert read(path, quotes="csv").pairs[0].source == enclosed


# Columns


def test_numbers_in_the_first_column_are_not_sources(tmp_path):
    rows = [("1", "Go.", "9", "Va !"), ("2", "Hi.", "10", "Salut !")]
    path = write(tmp_path, "a.tsv", "".join("\t".join(row) + "\n" for row in rows).encode())
    assert "`columns` 2,4 for 'Go.' and 'Va !'" in error_of(path)
    expected = [Pair("Go.", "Va !"), Pair("Hi.", "Salut !")]
    assert read(path, columns="2,4").pairs == expected
    assert read(path, columns="4,2").pairs == [Pair(*p[::-1]) for p in expected]
    numbers = [Pair("1", "Go."), Pair("2", "Hi.")]
    assert read(path, columns="1,2").pairs == numbers


@pytest.mark.parametrize(
    ("row", "said", "which"),
    [
        ("1.0{n}/Go {n}./Va {n} !", "column 1 of a.tsv holds only numbers", "2,3"),
        ("-0,{n}/Go {n}./Va {n} !", "column 1 of a.tsv holds only numbers", "2,3"),
        ("Go {n}./0.9{n}/Va {n} !", "column 2 of a.tsv holds only numbers", "1,3"),
        ("en/Go {n}./fr/Va {n} !", "column 1 of a.tsv holds 'en' on every line", "2,4"),
        ("Go {n}.//Va {n} !", "column 2 of a.tsv holds '' on every line", "1,3"),
    ],
)
def test_labels_among_several_columns_are_no_texts(tmp_path, row, said, which):
    rows = [row.format(n=n).replace("/", "\t") for n in range(12)]
    path = write(tmp_path, "a.tsv", "\n".join(rows).encode())
    message = error_of(path)
    assert said in message and f"`columns` {which} for 'Go 0.' and 'Va 0 !'" in message
    assert read(path, columns=which).pairs == [Pair(f"Go {n}.", f"Va {n} !") for n in range(12)]


def test_numbers_are_targets_where_no_other_column_has_texts(tmp_path):
    rows = [f"number {n}\t{n}\tCC-BY" for n in range(12)]
    path = write(tmp_path, "a.tsv", "\n".join(rows).encode())
    assert read(path).pairs == [Pair(f"number {n}", str(n)) for n in range(12)]


def test_numbers_are_sources_where_there_is_but_one_more_column(tmp_path):
    assert read(write(tmp_path, "a.tsv", b"1\tun\n2\tdeux\n")).pairs[1] == Pair("2", "deux")


@pytest.mark.parametrize(
    ("name", "content", "columns"),
    [
        ("a.csv", b"source,target\nGo.,Va !\n", "source,target"),
        ("a.tsv", b"eng\tfra\tlicence\nGo.\tVa !\tx\n", "eng,fra"),
        ("a.tsv", b"\ten\tfr\r\n0\tGo.\tVa !\r\n", "en,fr"),
        ("a.csv", b"id,English Text,french_text\n7,Go.,Va !\n", "English Text,french_text"),
    ],
)
def test_a_header_is_asked_about_and_its_names_can_be_given(tmp_path, name, content, columns):
    path = write(tmp_path, name, content)
    assert f"`columns` {shlex.quote(columns)} " in error_of(path)
    corpus = read(path, columns=columns)
    assert (corpus.pairs, corpus.lines) == ([Pair("Go.", "Va !")], [2])
    assert "below a header" in corpus.form
    both = read(path, columns="2,3" if content[0] in b"\ti" else "1,2")
    assert len(both.pairs) == 2


@pytest.mark.parametrize(
    "columns",
    ["3,1", f"1,{'9' * 30}", f"1,{'9' * 9999}", "0,1", "en,xx", "1", "1,2,3", "1,1", ",", "a,b"],
)
def test_columns_that_are_not_there(tmp_path, columns):
    path = write(tmp_path, "a.tsv", b"en\tfr\nGo.\tVa !\n")
    assert "`columns`" in error_of(path, columns=columns)


def test_a_name_that_two_columns_have_is_no_name(tmp_path):
    path = write(tmp_path, "a.tsv", b"text\ttext\tfr\n1\tGo.\tVa !\n")
    assert "asks for 'text'" in error_of(path, columns="text,fr")


# JSON lines


def test_fields_of_json_lines(tmp_path):
    records = [
        {"id": 3, "translation": {"en": "Go.", "fr": "Va !"}},
        {"id": 4, "translation": {"en": "Two\tor\nthree.", "fr": "Deux."}},
        {"id": 5, "translation": {"en": "Half."}},
        {"id": 6, "translation": {"en": "\ud800", "fr": "x"}},
        [1],
    ]
    deep = '{"a": ' * 400 + "1" + "}" * 400 + "\n"
    text = "".join(json.dumps(record) + "\n" for record in records) + '{"broken\n\n' + deep
    path = write(tmp_path, "a.jsonl", text.encode())
    corpus = read(path)
    assert corpus.pairs == [Pair("Go.", "Va !"), Pair("Two or three.", "Deux.")]
    assert corpus.skipped == {
        "no text": Skipped(2, (3, 8)),
        "control character": Skipped(1, (4,)),
        "broken JSON": Skipped(3, (5, 6, 7)),
    }
    assert read(path, columns="fr,id").pairs[0] == Pair("Va !", "3")


def test_a_list_in_json_is_refused_with_what_makes_it_lines(tmp_path):
    content = json.dumps([{"a": "Go.", "b": "Va !"}], indent=1).encode()
    assert "jq -c '.[]'" in error_of(write(tmp_path, "a.json", content))
    assert "jq -c '.[]'" in error_of(write(tmp_path, "a.jsonl", content))
    assert read(write(tmp_path, "b.json", b'{"a": "Go.", "b": "Va !"}\n')).pairs == PAIRS[:1]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.txt"])
def test_a_list_in_an_object_is_refused_with_what_makes_it_lines(tmp_path, indent, name):
    content = json.dumps({"data": [{"a": "Go.", "b": "Va !"}], "version": 1}, indent=indent)
    error = error_of(write(tmp_path, name, content.encode()))
    assert "jq -c '.\"data\"[]'" in error


@pytest.mark.parametrize(
    ("name", "value", "lines"),
    [
        ("a.json", [list(pair) for pair in PAIRS], "jq -r '.[] | @tsv'"),
        ("a.json", dict(PAIRS), "jq -r 'to_entries[] | [.key, .value] | @tsv'"),
        ("a.jsonl", list(PAIRS[0]), "jq -r @tsv"),
    ],
)
def test_arrays_and_an_object_of_pairs_are_refused_with_what_makes_them_lines(
    tmp_path, name, value, lines
):
    for indent in (None, 1)[: 1 + (name == "a.json")]:
        content = json.dumps(value, indent=indent).encode()
        if indent or not isinstance(value, dict):
            assert f"{lines} {tmp_path}" in error_of(write(tmp_path, name, content))


def test_turns_of_a_chat_are_no_pairs(tmp_path):
    turns = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]
    path = write(tmp_path, "a.jsonl", "".join(json.dumps(turn) + "\n" for turn in turns).encode())
    assert "a turn of a chat on each line, with the fields role, content" in error_of(path)
    chats = f"{json.dumps({'messages': turns})}\n" * 2
    error = error_of(write(tmp_path, "b.jsonl", chats.encode()))
    assert "needs two fields of text, but has none; give each pair two fields, not a list" in error


def test_more_than_two_fields_are_asked_about(tmp_path):
    path = write(tmp_path, "a.jsonl", b'{"q": "1+1", "a": "2", "note": "x"}\n')
    assert "fields q, a, note; give `columns` and two of them, such as q,a" in error_of(path)
    assert "asks for 'b'" in error_of(path, columns="q,b")
    assert read(path, columns="q,a").pairs == [Pair("1+1", "2")]
    path = write(tmp_path, "b.jsonl", b'{"q": "1+1", "a": 2}\n')
    assert "needs two fields of text, but has q" in error_of(path)
    assert read(path, columns="q,a").pairs == [Pair("1+1", "2")]


# Two files


def test_two_files_are_read_line_by_line(tmp_path):
    sources, targets = zip(*TEXTS, strict=True)
    paths = (
        write(tmp_path, "x.en", "\n".join((*sources, "a\tb", "")).encode()),
        write(tmp_path, "x.fr", "\r\n".join((*targets, "d")).encode()),
    )
    corpus = read(paths)
    assert corpus.pairs == [*PAIRS, Pair("a b", "d")]
    assert corpus.form == "the lines of x.en with those of x.fr"
    assert not corpus.skipped
    assert read(paths, swap=True).pairs[0] == Pair("Va !", "Go.")
    assert "one column each; leave out `columns`" in error_of(paths, columns="1,2")


def test_two_files_of_pairs_are_no_sources_and_targets(tmp_path):
    paths = [write(tmp_path, name, lines(TEXTS, "\t")) for name in ("a.tsv", "b.tsv")]
    assert "give one file, with the lines of both" in error_of(tuple(paths))


@pytest.mark.parametrize("num_samples", [0, 1, 3])
def test_two_files_must_have_as_many_lines(tmp_path, num_samples):
    paths = (write(tmp_path, "x.en", b"a\nb\nc\n"), write(tmp_path, "x.fr", b"d\ne\nf\ng"))
    for pair in (paths, paths[::-1]):
        message = error_of(pair, num_samples=num_samples)
        assert re.search(r"has (3 lines and \S+ 4|4 lines and \S+ 3), but line by line", message)


def test_a_file_too_long_to_be_counted_is_longer_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("s2s_jax.data.reading.lines._COUNTED_BYTES", 1 << 19)
    short = write(tmp_path, "x.en", b"a\nb\nc\n")
    long = write(tmp_path, "x.fr", "".join(f"{n:09}\n" for n in range(200_000)).encode())
    assert re.search(r"has 3 lines and \S+ at least \d+,\d+, but", error_of((short, long)))
    assert re.search(r"has at least \d+,\d+ lines and \S+ 3, but", error_of((long, short)))


# What is not read


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("size", [3, 100_000])
def test_unread_lines_are_counted(tmp_path, size, end):
    text = "\n".join(f"{n}\t{n}" for n in range(size)) + end
    corpus = read(write(tmp_path, "a.txt", text.encode()), num_samples=2)
    assert (len(corpus.pairs), corpus.unread, corpus.unread_more) == (2, size - 2, False)


def test_unread_lines_are_counted_up_to_a_bound(tmp_path, monkeypatch):
    monkeypatch.setattr("s2s_jax.data.reading.lines._COUNTED_BYTES", 1 << 19)
    text = "".join(f"{n}\t{n}\n" for n in range(200_000))
    corpus = read(write(tmp_path, "a.txt", text.encode()), num_samples=2)
    assert 2 < corpus.unread < 199_000 and corpus.unread_more
