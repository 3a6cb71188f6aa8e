"""decode.py --attention, from its flags to its files."""

import pytest
from s2s_pictures import any_fonts as any_fonts
from s2s_pictures import make_translator, save_run, size_of_png

from s2s_jax.serving import drawing


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("attentive") / "run", make_translator())


@pytest.fixture
def draw(any_fonts, run, run_here, monkeypatch):
    monkeypatch.setenv("DISPLAY", "")
    monkeypatch.setenv("MPLBACKEND", "tkagg")  # As on a desktop whose display is gone.

    def decode(*arguments, folder=run, **options):
        return run_here("decode.py", "--checkpoint", folder, *arguments, **options)

    return decode


def test_one_text_is_one_picture_and_the_answer_is_printed_as_ever(draw, tmp_path):
    pytest.importorskip("matplotlib")
    plain = draw("abc")
    drawn = draw("--attention", "picture.png", "abc")
    assert drawn.returncode == 0, drawn.stderr
    assert drawn.stdout == plain.stdout
    size_of_png((tmp_path / "picture.png").read_bytes())


def test_several_texts_are_numbered_by_their_lines(draw, tmp_path):
    pytest.importorskip("matplotlib")
    done = draw("--attention", "picture.svg", stdin="abc\n???\nשלום\n")
    assert done.returncode == 0
    assert "line 2: not drawn: training saw no symbol of '???'" in done.stderr
    names = {path.name for path in tmp_path.glob("*.svg")}
    assert names == {"picture-1.svg", "picture-3.svg"}


def test_a_page_holds_several_texts_and_needs_no_matplotlib(draw, tmp_path, uninstall):
    uninstall("matplotlib")
    done = draw("--attention", "picture.html", "--json", "abc", "de")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "picture.html").read_text("utf-8").count("<section ") == 2
    refused = draw("--attention", "picture.png", "abc")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1 and "pip install matplotlib" in refused.stderr


def test_given_targets_and_beams_are_drawn_too(draw, tmp_path):
    done = draw("--attention", "a.html", "--beam", 3, "--n-best", 2, "--scores", "abc")
    assert done.returncode == 0 and done.stdout.count("\t") == 7
    done = draw("--attention", "b.html", "--score", stdin="abc\tuvw\n")
    assert done.returncode == 0, done.stderr
    assert ">w</bdi>" in (tmp_path / "b.html").read_text("utf-8")


def test_a_model_without_attention_says_so(draw, tmp_path):
    plain = save_run(tmp_path / "plain", make_translator("none"))
    done = draw("--attention", "picture.html", "abc", folder=plain)
    assert done.returncode == 0
    assert "no attention; the picture shows how likely each unit was" in done.stderr
    assert '<td class="p"' in (tmp_path / "picture.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--attention", "picture.gif", "abc"], "ends in .png, .svg or .html, not 'picture.gif'"),
        (["--attention", "nowhere/picture.html", "abc"], "make nowhere first"),
        (["--attention", "a.html", "--evaluate", "x.tsv"], "leave out --evaluate and --export"),
        (["--attention", "a.html", "--export", "x.s2s"], "leave out --evaluate and --export"),
        (["--attention", "a.html", "a" * 500], "a picture can show 150 units"),
        (["--attention", "a.html", "???"], "training saw no symbol of '???'"),
    ],
)
def test_bad_requests_are_one_line(draw, tmp_path, arguments, message):
    done = draw(*arguments)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*.html"))


def test_more_texts_than_can_be_looked_at_are_refused(draw, monkeypatch):
    monkeypatch.setattr(drawing, "MOST_PICTURES", 2)
    done = draw("--attention", "a.html", "a", "b", "c")
    assert done.returncode == 2 and "the answers to 2 texts; give fewer" in done.stderr
    assert done.stdout == ""


def test_a_picture_that_cannot_be_written_is_one_line(draw, tmp_path):
    (tmp_path / "a.html").mkdir()
    done = draw("--attention", "a.html", "abc")
    assert done.returncode == 2 and "a.html cannot be written" in done.stderr
