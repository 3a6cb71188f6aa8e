"""README and docs: links lead somewhere, figures about the code are right, the site builds."""

import importlib.util
import re
import subprocess
import sys

import pytest
from s2s_testing import ROOT

import s2s_jax

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LONGEST_README = 150  # Lines.
MOST_TO_READ = 2_000  # Lines of the files that reading.md goes through.


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not re.match(r"https?:", target):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_shell_expands_what_is_to_be_typed(page):
    """In zsh an exclamation mark between double quotes opens a history expansion."""
    for block in re.findall(r"^```(?:sh|bash)?\n(.*?)^```", page.read_text("utf-8"), re.S | re.M):
        assert not re.search(r'"[^"\n]*![^"\n]*"', block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tests_that_a_page_names_are_there(page):
    text = page.read_text("utf-8")
    for name in re.findall(r"`(test_\w+\.py)`", text):
        assert any((ROOT / "tests").rglob(name)), name
    for name in re.findall(r"\btests/[\w/]+\.py", text):
        assert (ROOT / name).exists(), name


def test_the_readme_is_short_and_names_every_room():
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= LONGEST_README
    rooms = [path.name for path in (ROOT / "s2s_jax").iterdir() if path.is_dir()]
    for room in rooms:
        if room != "__pycache__":
            assert f"\n  {room}/ " in text


def test_the_files_to_read_are_as_few_and_short_as_the_page_says():
    page = (ROOT / "docs/reading.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| `(\S+)` \|", page, re.M)
    assert [int(number) for number, _ in rows] == list(range(1, 13))
    lengths = [len((ROOT / name).read_text("utf-8").splitlines()) for _, name in rows]
    assert sum(lengths) < MOST_TO_READ
    assert f"fewer than {MOST_TO_READ:,} lines" in page


def test_the_version_to_cite_is_this_one():
    for page, wanted in (
        ("CITATION.cff", rf"^version: {re.escape(s2s_jax.__version__)}$"),
        ("docs/index.md", rf"^  version = {{{re.escape(s2s_jax.__version__)}}},$"),
    ):
        assert re.search(wanted, (ROOT / page).read_text("utf-8"), re.M), page


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    if importlib.util.find_spec("sphinx") is None:
        pytest.skip("needs Sphinx: pip install -e '.[docs]'")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", ROOT / "docs", tmp_path]
    done = subprocess.run(map(str, command), capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    text = re.sub(r"<[^>]+>", "", (tmp_path / "api.html").read_text("utf-8"))
    assert re.search(r"class (s2s_jax\.)?Translator\(", text)  # With the module since Sphinx 9.
