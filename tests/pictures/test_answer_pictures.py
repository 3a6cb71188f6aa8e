"""Pictures and pages of answers, by what they hold."""

import html.parser
import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from s2s_pictures import make_translator, size_of_png

from s2s_jax.decoding.alignment import align
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.errors import RunWarning, UserError
from s2s_jax.pictures import fonts
from s2s_jax.pictures.answers import (
    MOST_UNITS,
    ExplainedAnswer,
    explain,
    is_right_to_left,
    is_turned,
    label,
)
from s2s_jax.pictures.drawing import check_suffix, write_figure
from s2s_jax.pictures.heatmap import draw
from s2s_jax.pictures.page import page

WITH_SCORES = DecodeConfig(scores=True)


@pytest.fixture(scope="module")
def translator():
    return make_translator()


def answer(source="ab c", target=("u", "v", "<eos>"), attention=True):
    rows = np.linspace(0, 1, len(target) * len(source)).reshape(len(target), len(source))
    weights = rows / rows.sum(axis=1, keepdims=True) if attention else None
    probabilities = tuple(np.linspace(1, 0.1, len(target)))
    return ExplainedAnswer(
        source, tuple(source) if attention else (), target, probabilities, weights
    )


def test_the_units_are_those_that_were_decoded_and_their_probabilities_the_models(translator):
    (found,) = translator.translate(["abc"], WITH_SCORES)
    explained = explain(translator, found)
    assert explained.source == ("a", "b", "c")
    assert explained.target == found.n_best[0].tokens
    assert math.prod(explained.probabilities) == pytest.approx(math.exp(found.n_best[0].score))
    assert explained.weights.shape == (len(explained.target), 3)
    np.testing.assert_allclose(explained.weights.sum(axis=1), 1, rtol=1e-5)


def test_symbols_align_as_the_text_that_they_make(translator):
    whole = align(translator, "abc", "uv")
    given_symbols = align(translator, "abc", ("u", "v", "<eos>"))
    assert whole.target == given_symbols.target == ("u", "v", "<eos>")
    np.testing.assert_array_equal(whole.weights, given_symbols.weights)
    cut = align(translator, "abc", ("u", "v"))  # Without an end it was cut off.
    np.testing.assert_allclose(cut.weights, whole.weights[:2], rtol=1e-5)


def test_a_model_without_attention_has_probabilities_alone():
    plain = make_translator("none")
    explained = explain(plain, plain.translate(["abc"], WITH_SCORES)[0])
    assert explained.weights is None and explained.source == ()
    assert len(explained.probabilities) == len(explained.target) > 0


def test_what_cannot_be_read_in_a_picture_is_refused(translator):
    nothing, long = translator.translate(["???", "a" * (MOST_UNITS + 1)], WITH_SCORES)
    with pytest.raises(UserError, match="no symbol of '\\?\\?\\?'"):
        explain(translator, nothing)
    with pytest.raises(UserError, match=f"{MOST_UNITS} units, but the source .* 151; give a short"):
        explain(translator, long)
    writer = make_translator(limit=500)
    cut = writer.translate(["a"], DecodeConfig(scores=True, sample=True, temperature=9.0))
    symbols = ("u",) * 500
    many = cut[0]._replace(n_best=(cut[0].n_best[0]._replace(tokens=symbols),))
    with pytest.raises(UserError, match="the answer of 'a' has 500; give a shorter text"):
        explain(writer, many)


@given(st.text(min_size=1))
def test_a_label_is_printable_and_short(unit):
    text = label(unit)
    assert re.sub("[\u200c\u200d]", "", text).isprintable() and 0 < len(text) <= 25
    assert " " not in text


def test_labels_show_what_cannot_be_seen_alone():
    assert label(" the") == "␣the"
    assert label("\u093f") == "\N{DOTTED CIRCLE}\u093f"
    assert label("\u0301") == "\N{DOTTED CIRCLE}\u0301"
    assert label("e\u0301") == "e\u0301"
    assert label("<eos>") == "<eos>"
    assert label("\u202f!") == label("\xa0!") == "␣!"
    assert label("\u200d") == "\\u200d"


@pytest.mark.parametrize("unit", ["می\u200cخواهم", "👩\u200d👩\u200d👧", "क्\u200dष"])
def test_joiners_shape_what_they_stand_between(unit):
    assert label(unit) == unit


def test_labels_are_turned_by_the_characters_that_are_read():
    assert not any(map(is_turned, ["क्षि", "👩\u200d👩\u200d👧", "ab"]))
    assert is_turned("abc")
    pytest.importorskip("matplotlib")
    long = answer()._replace(source=("I", " won", "!"), weights=np.full((3, 3), 1 / 3))
    labels = draw(long).axes[1].get_xticklabels()
    assert [text.get_rotation() for text in labels] == [0, 90, 0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("שלום", True), ("123 سلام", True), ("Go.", False), ("…", False), ("", False)],
)
def test_right_to_left(text, expected):
    assert is_right_to_left(text) is expected


def texts_of(axis):
    return [tick.get_text() for tick in axis.get_ticklabels()]


def test_the_heat_map_has_every_unit_and_every_weight():
    pytest.importorskip("matplotlib")
    explained = answer()
    percent, weights = draw(explained).axes
    assert texts_of(weights.xaxis) == ["a", "b", "␣", "c"]
    assert texts_of(weights.yaxis) == ["u", "v", "<eos>"]
    np.testing.assert_array_equal(weights.images[0].get_array(), explained.weights)
    np.testing.assert_array_equal(percent.images[0].get_array()[:, 0], explained.probabilities)
    assert [text.get_text() for text in percent.texts] == ["100", "55", "10"]
    # Colours mean the same in every picture.
    assert weights.images[0].get_clim() == percent.images[0].get_clim() == (0, 1)


def test_without_attention_the_picture_is_the_probabilities():
    pytest.importorskip("matplotlib")
    (percent,) = draw(answer(attention=False)).axes
    assert texts_of(percent.yaxis) == ["u", "v", "<eos>"]


def test_a_source_from_right_to_left_is_drawn_so():
    pytest.importorskip("matplotlib")
    (_, forward), (_, backward) = draw(answer("abc")).axes, draw(answer("שלום")).axes
    assert not forward.xaxis_inverted()
    assert backward.xaxis_inverted()


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_pictures_are_written_whole_and_alike(tmp_path, suffix):
    pytest.importorskip("matplotlib")
    files = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for file in files:
        write_figure(draw(answer(target=("$x", "^{", "<eos>"))), file)  # No formulas.
    first, second = (file.read_bytes() for file in files)
    assert first == second
    assert sorted(tmp_path.iterdir()) == files
    if suffix == ".png":
        assert all(50 < side < 1000 for side in size_of_png(first))
    else:
        assert ET.fromstring(first).tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.slow
def test_the_largest_picture_can_be_read(tmp_path):
    """A label has the room of its letters: a row is no lower than they are."""
    pytest.importorskip("matplotlib")
    explained = answer("ab" * (MOST_UNITS // 2), ("u",) * MOST_UNITS)
    figure = draw(explained)
    weights = figure.axes[1]
    row = weights.get_window_extent().height / MOST_UNITS
    assert row > figure.dpi / 72 * weights.get_yticklabels()[0].get_fontsize()
    write_figure(figure, tmp_path / "large.png")
    assert all(side < 2**16 for side in size_of_png((tmp_path / "large.png").read_bytes()))


def test_one_font_draws_a_whole_label_where_one_has_all_of_it(monkeypatch):
    pytest.importorskip("matplotlib")
    letters = {"first": ("First", frozenset("ab◌")), "second": ("Second", frozenset("◌क़"))}
    monkeypatch.setattr(fonts, "_font_files", lambda: list(letters))
    monkeypatch.setattr(fonts, "_coverage", letters.get)
    monkeypatch.setattr("matplotlib.font_manager.fontManager.addfont", lambda path: None)
    with pytest.warns(RunWarning, match=r"no installed font has the script Han \(漢\)"):
        families = fonts.families_for(["ab", "◌क़", "a漢"])
    assert families["ab"][0] == "First"
    assert families["◌क़"][0] == "Second"


def test_a_script_without_a_font_is_named_and_the_picture_still_drawn(monkeypatch):
    pytest.importorskip("matplotlib")
    bundled = fonts._font_files()[:1]  # Which has no Chinese.
    monkeypatch.setattr(fonts, "_font_files", lambda: bundled)
    with pytest.warns(RunWarning, match=r"no installed font has the script Han \(字 漢\)"):
        figure = draw(answer(target=("漢", "字", "<eos>")))
    assert len(figure.axes) == 2


def test_damaged_fonts_have_no_characters(tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "damaged.ttf").write_bytes(b"no font")
    assert fonts._coverage(str(tmp_path / "damaged.ttf")) == ("", frozenset())


BITMAPS = """STARTFONT 2.1
FONT -x-Bitmaps-Medium-R-Normal--8-80-75-75-C-80-ISO10646-1
SIZE 8 75 75
FONTBOUNDINGBOX 8 8 0 0
STARTPROPERTIES 3
FAMILY_NAME "Bitmaps"
CHARSET_REGISTRY "ISO10646"
CHARSET_ENCODING "1"
ENDPROPERTIES
CHARS 1
STARTCHAR A
ENCODING 128512
SWIDTH 1000 0
DWIDTH 8 0
BBX 8 1 0 0
BITMAP
FF
ENDCHAR
ENDFONT
"""


def test_fonts_of_pictures_in_fixed_sizes_have_no_characters(tmp_path, monkeypatch):
    """As those of coloured emoji are, which matplotlib opens but does not draw with."""
    ft2font = pytest.importorskip("matplotlib.ft2font")
    (path := tmp_path / "bitmaps.ttf").write_text(BITMAPS)
    assert "😀" in map(chr, ft2font.FT2Font(path).get_charmap())
    monkeypatch.setattr(fonts, "_font_files", lambda: [str(path)])
    with pytest.warns(RunWarning, match=r"no installed font .*\(😀\).* Symbola for emoji"):
        fonts.families_for(["😀"])


def test_the_suffix_and_matplotlib_are_checked_before_there_is_anything_to_draw(
    tmp_path, uninstall
):
    for name in ("picture.gif", "picture", ".png"):
        with pytest.raises(
            UserError, match=f"`attention` needs .* .png, .svg or .html, not '{name}'"
        ):
            check_suffix("attention", tmp_path / name, (".png", ".svg", ".html"))
    uninstall("matplotlib")
    with pytest.raises(UserError, match="pip install matplotlib"):
        check_suffix("attention", tmp_path / "picture.PNG", (".png", ".svg", ".html"))
    check_suffix("attention", tmp_path / "picture.html", (".png", ".svg", ".html"))


class Reader(html.parser.HTMLParser):
    """What a browser shows, and the names of the elements."""

    def __init__(self, text):
        super().__init__()
        self.text, self.tags, self.open = "", [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data


def test_the_page_has_every_unit_weight_and_probability():
    explained = answer(source="a<script>", target=("&", '"', "<eos>"))
    read = Reader(page([explained, answer(attention=False)], "Answers of <me>"))
    assert read.open == []
    assert "Answers of <me>" in read.text and "a<script>" in read.text
    assert not [tag for tag, _ in read.tags if tag == "script"]
    styles = [attrs["style"] for tag, attrs in read.tags if tag == "td"]
    weights = [float(re.fullmatch(r"--w:([\d.]+)", style)[1]) for style in styles]
    expected = np.column_stack((explained.weights, 1 - np.array(explained.probabilities)))
    np.testing.assert_allclose(weights[: expected.size], expected.ravel(), atol=0.006)
    assert len(weights) == expected.size + 3


def test_the_page_needs_nothing_from_elsewhere():
    text = page([answer()], "Answers")
    assert not re.search(r"https?:|url\(|@import|<link|<script|\bsrc=", text)
    assert "prefers-color-scheme: dark" in text


def test_the_page_shows_the_answer_as_it_reads():
    read = Reader(page([answer()._replace(joiner=" ", weights=None)], ""))
    (written,) = re.findall(r'class="answer".*?</p>', page([answer()._replace(joiner=" ")], ""))
    assert Reader(f"<p {written}").text == "u v"
    assert "<eos>" in read.text  # In the table.


def test_the_page_turns_with_its_source():
    for source, direction in (("שלום", "rtl"), ("abc", "ltr")):
        tags = Reader(page([answer(source)], "")).tags
        assert [attrs for tag, attrs in tags if tag == "section"] == [{"dir": direction}]


def test_the_page_of_lone_surrogates_can_be_written():
    page([answer(source="a\udcff", target=("\udcff",))], "x").encode("utf-8")
