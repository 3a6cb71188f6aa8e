import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from s2s_testing import ROOT

from s2s_jax.errors import UserError
from s2s_jax.runtime.files import (
    is_there,
    machine_fault,
    names_in,
    replacing,
    safe_name,
    shown,
    stand_in,
    write_lines,
)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"<!DOCTYPE html>\n<html>", "web page"),
        (b"\xef\xbb\xbf\r\n <HTML lang='en'>", "web page"),
        (b"\x89HDF\r\n\x1a\n", ""),
        (b"Go.\tVa !\n", ""),
        (b"<html\tshort for hypertext\n"[:4], ""),
        (b"", ""),
    ],
)
def test_pointers_and_web_pages_are_known_by_their_first_bytes(start, words):
    assert (words in stand_in(start)) and bool(stand_in(start)) == bool(words)


def test_lines_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out.txt"
    write_lines(path, ["é", "", "\u2028"])
    old = path.read_bytes()
    assert old == "é\n\n\u2028\n".encode()

    def broken():
        yield "new"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_lines(path, broken())
    assert path.read_bytes() == old
    write_lines(path, [])
    assert path.read_bytes() == b""
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_of_the_same_id_left_is_not_written_on(tmp_path):
    path, target = tmp_path / "config.json", tmp_path / "other"
    with replacing(path) as temporary:
        leftover = temporary
        temporary.touch()
    leftover.write_text("{half")
    write_lines(path, ["{}"])
    assert path.read_text() == "{}\n"
    target.write_text("a file of the user's")
    leftover.symlink_to(target)  # As a stranger's archive may hold it.
    write_lines(path, ["[]"])
    assert (path.read_text(), target.read_text()) == ("[]\n", "a file of the user's")
    assert sorted(tmp_path.iterdir()) == [path, target]


@pytest.mark.parametrize("place", ["missing/out.txt", "file/out.txt", "folder", "n" * 300])
def test_a_file_that_cannot_be_written_is_a_user_error(tmp_path, place):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="cannot be written"):
        write_lines(tmp_path / place, ["x"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_name_as_long_as_the_file_system_takes_can_be_written(tmp_path):
    path = tmp_path / ("n" * 255)
    write_lines(path, ["x"])
    assert path.read_text() == "x\n"


def test_a_device_is_written_to_and_not_replaced(tmp_path):
    # As in --output /dev/null or /dev/stdout; a link, so that no device is at risk here.
    link = tmp_path / "out"
    link.symlink_to(os.devnull)
    write_lines(link, ["x"])
    assert link.is_symlink()
    assert list(tmp_path.iterdir()) == [link]


@pytest.mark.parametrize("target", ["elsewhere/out.txt", "elsewhere/not yet.txt"])
def test_a_link_is_followed(tmp_path, target):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "out.txt").write_text("old")
    link, second = tmp_path / "link", tmp_path / "link to it"
    link.symlink_to(target)
    second.symlink_to(link)
    write_lines(second, ["new"])
    assert (tmp_path / target).read_text() == "new\n"
    assert [link.is_symlink(), second.is_symlink()] == [True, True]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "link", "link to it"]


def test_links_in_a_circle_are_a_user_error(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(UserError, match="cannot be written: Too many levels"):
        write_lines(tmp_path / "a", ["x"])


def test_permissions_stay(tmp_path):
    path = tmp_path / "private"
    path.touch(0o600)
    path.chmod(0o640)
    write_lines(path, ["x"])
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_pipe_is_written_to(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE)
    write_lines(tmp_path / "pipe", ["é"])
    assert reader.communicate(timeout=30)[0] == "é\n".encode()
    assert (tmp_path / "pipe").is_fifo()


WRITER = (
    "import sys\n"
    "from pathlib import Path\n"
    "from s2s_jax.runtime.files import write_lines\n"
    "write_lines(Path(sys.argv[1]), ['new'])\n"
    "print('printed')\n"
)


@pytest.mark.parametrize("mode", ["w", "a"])
def test_standard_output_that_is_a_file_is_appended_to(tmp_path, mode):
    """Also by root, who could replace the device by a file."""
    path, link = tmp_path / "log", tmp_path / "stdout"
    path.write_text("old\n")
    link.symlink_to("/dev/stdout")
    with path.open(mode) as file:
        subprocess.run(
            [sys.executable, "-c", WRITER, str(link)],
            stdout=file, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, timeout=60,
        )  # fmt: skip
    assert path.read_text() == ("old\n" if mode == "a" else "") + "new\nprinted\n"
    assert link.is_symlink()


@pytest.mark.parametrize("stream", ["/dev/stderr", "/dev/fd/{}", "/proc/self/fd/{}"])
def test_a_file_that_was_given_open_keeps_what_is_in_it(tmp_path, stream):
    """As `2>> log` and `3>> log` open it."""
    path = tmp_path / "log"
    path.write_text("old\n")
    with path.open("a") as file:
        subprocess.run(
            [sys.executable, "-c", WRITER, stream.format(file.fileno())],
            stdout=subprocess.DEVNULL, stderr=file, pass_fds=[file.fileno()],
            env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, timeout=60,
        )  # fmt: skip
        file.write("later\n")
    assert path.read_text() == "old\nnew\nlater\n"


def test_a_file_has_reached_the_disk_before_it_replaces_another(tmp_path, monkeypatch):
    """And its name before anybody is told that it is there."""
    events, path = [], tmp_path / "file"
    path.write_text("old")
    sync, replace = os.fsync, os.replace

    def fsync(descriptor):
        place = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        events.append((place.name, place.read_text() if place.is_file() else path.read_text()))
        sync(descriptor)

    def note(source, target):
        events.append("replaced")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", note)
    write_lines(path, ["new"])
    temporary = f".{os.getpid()}.tmp"
    assert events == [(temporary, "new\n"), "replaced", (tmp_path.name, "new\n")]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_a_disk_that_cannot_flush_is_no_error_but_one_that_fails_is(tmp_path, monkeypatch, number):
    def fsync(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    (tmp_path / "file").write_text("old\n")
    if number == errno.EIO:
        with pytest.raises(UserError, match=r"file cannot be written: Input/output error\."):
            write_lines(tmp_path / "file", ["new"])
    else:
        write_lines(tmp_path / "file", ["new"])
    assert (tmp_path / "file").read_text() == ("old\n" if number == errno.EIO else "new\n")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_suffix_stays_for_writers_that_go_by_it(tmp_path):
    with replacing(tmp_path / "model.keras") as temporary:
        assert temporary.suffix == ".keras"
        temporary.write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def raised(error, cause=None):
    try:
        raise error from cause
    except Exception as caught:
        return caught


def failed_with(number):
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (failed_with(errno.EMFILE), "Too many open files"),
        (failed_with(errno.ESTALE), "Stale file handle"),
        (failed_with(errno.EACCES), "Permission denied"),
        (MemoryError(), "out of memory"),
        # What tensorstore says, in two of its versions.
        (ValueError("RESOURCE_EXHAUSTED: Error [os_error_code='24']"), "Too many open files"),
        (ValueError("Error opening: [OS error 5: EIO Input/output error]"), "Input/output error"),
        (raised(ValueError("no step"), failed_with(errno.EIO)), "Input/output error"),
        (failed_with(errno.ENOENT), None),
        (ValueError("NOT_FOUND: [os_error_code='2']"), None),
        (ValueError("CRC-32C checksum mismatch"), None),
    ],
)
def test_faults_of_the_machine_are_told_from_damage(error, fault):
    assert machine_fault(error) == fault


def test_what_nobody_can_tell_is_not_taken_for_missing(tmp_path, monkeypatch):
    assert is_there(tmp_path)
    assert not is_there(tmp_path / "missing")
    assert names_in(tmp_path / "missing") == []
    (tmp_path / "file").touch()
    assert not is_there(tmp_path / "file" / "below")
    assert names_in(tmp_path / "file") == []
    with pytest.raises(OSError, match="File name too long"):
        is_there(tmp_path / ("n" * 300))
    with pytest.raises(OSError, match="File name too long"):
        names_in(tmp_path / ("n" * 300))


def test_joiners_are_shown_where_they_join():
    assert shown("👩\u200d👧 می\u200cروم") == "👩\u200d👧 می\u200cروم"
    assert shown("\u200d") == "\\u200d"  # By itself nobody would see it.
    assert shown("a\u202eb\x07") == "a\\u202eb\\x07"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("fra", "fra"),
        ("my data (2).v2", "my_data_2_.v2"),
        ("данные", "данные"),
        ("--help", "help"),
        ("con", "con_"),
        ("!", "data"),
        ("x" * 200, "x" * 60),
    ],
)
def test_a_name_is_safe_as_a_folder(text, name):
    assert safe_name(text) == name
