import errno
import fcntl
import os
import signal
import subprocess
import sys

import pytest
from s2s_testing import ROOT

from s2s_jax.errors import UserError
from s2s_jax.runs.locking import LOCK, OWNER, locked

SCRIPT = (
    "import sys, time\n"
    "from pathlib import Path\n"
    "from s2s_jax.runs.locking import locked\n"
    "with locked(Path(sys.argv[1])):\n"
    "    print('locked', flush=True)\n"
    "    sys.stdin.read()\n"
)


@pytest.fixture
def holder(tmp_path):
    """A process that has the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert process.stdout.readline() == b"locked\n"
    yield process
    process.kill()
    process.communicate()


def assert_held(folder):
    """The lock is this process's."""
    assert (folder / OWNER).read_text().split()[0] == str(os.getpid())


def test_the_second_process_is_refused_with_the_id_of_the_first(tmp_path, holder):
    with pytest.raises(UserError, match=f"process {holder.pid};") as error, locked(tmp_path):
        pass
    assert "`out`" in str(error.value) and "\n" not in str(error.value)


def test_the_lock_of_a_killed_process_blocks_nobody(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / LOCK).exists()
    with locked(tmp_path):
        assert_held(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_released_at_the_end_and_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    for _ in range(2):
        with locked(tmp_path):
            assert sorted(path.name for path in tmp_path.iterdir()) == [LOCK, OWNER]
    assert list(tmp_path.iterdir()) == []


def test_within_one_process_the_second_is_refused_too(tmp_path):
    with locked(tmp_path), pytest.raises(UserError, match=f"process {os.getpid()}"):  # noqa: SIM117
        with locked(tmp_path):
            pass


@pytest.mark.parametrize("name", [LOCK, OWNER])
@pytest.mark.parametrize("content", [b"", b"\xff\0", b"12", b"x y", b"999999999999999999999 h\n"])
def test_whatever_a_leftover_holds_it_blocks_nobody(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with locked(tmp_path):
        assert_held(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_link_does_not_lead_the_lock_into_another_file(tmp_path):
    (tmp_path / "mine").write_text("precious")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).symlink_to(tmp_path / "mine")
    with pytest.raises(UserError, match="cannot be written to"), locked(tmp_path / "run"):
        pass
    assert (tmp_path / "mine").read_text() == "precious"


def test_nor_does_it_lead_the_process_id_there(tmp_path):
    (tmp_path / "mine").write_text("precious")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / OWNER).symlink_to(tmp_path / "mine")
    with locked(tmp_path / "run"):
        assert_held(tmp_path / "run")
    assert (tmp_path / "mine").read_text() == "precious"


def test_a_folder_that_cannot_be_written_to_is_one_line(tmp_path):
    (tmp_path / LOCK).mkdir()  # Permissions do not bind root.
    with pytest.raises(UserError, match="cannot be written to") as error, locked(tmp_path):
        pass
    assert str(error.value).isprintable()


class TestWithoutLocks:
    """On a file system that knows no locks, the process id in the file is what there is."""

    @pytest.fixture(autouse=True)
    def no_locks(self, monkeypatch):
        def refuse(*_):
            raise OSError(errno.ENOTSUP, "not supported")

        monkeypatch.setattr(fcntl, "flock", refuse)

    def test_a_living_process_is_respected(self, tmp_path, holder):
        with pytest.raises(UserError, match=f"process {holder.pid};"), locked(tmp_path):
            pass

    def test_a_dead_one_is_not(self, tmp_path, holder):
        holder.kill()
        holder.wait()
        assert (tmp_path / OWNER).exists()
        with locked(tmp_path):
            assert_held(tmp_path)

    @pytest.mark.parametrize("content", ["", "nonsense", "1 another-host", f"{10**30} here", "0 x"])
    def test_nor_is_what_cannot_be_known(self, tmp_path, content):
        (tmp_path / OWNER).write_text(content)
        with locked(tmp_path):
            assert_held(tmp_path)
