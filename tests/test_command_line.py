import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from s2s_jax.command_line import Parser, add_options, command, main
from s2s_jax.config import DataConfig, ModelConfig, TrainConfig
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.errors import UserError

ROOT = Path(__file__).resolve().parent.parent

SCRIPT = """
import asyncio, atexit, os, resource, signal, sys, time
from pathlib import Path
from s2s_jax.command_line import Parser, main
from s2s_jax.errors import UserError
from s2s_jax.runtime.files import write_lines
from s2s_jax.runtime.interrupts import loading

def run():
    parser = Parser(prog="tool.py", description="Does things.")
    parser.add_argument("--lines", type=int, default=1)
    parser.add_argument("--mode", choices=["a", "b"])
    parser.add_argument("--fail", metavar="CODE", default="0")
    flags = parser.parse_args()
    for number in range(flags.lines):
        print("line", number)
    return eval(compile(flags.fail, "fail", "eval"))

def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()

def ctrl_c_before_a_crash():
    atexit.register(os.kill, os.getpid(), signal.SIGSEGV)
    ctrl_c()

def killed_while_writing(path, name):
    def lines():
        yield "half"
        os.kill(os.getpid(), getattr(signal, name))
        time.sleep(60)
    write_lines(Path(path), lines())

class Lost:
    def __init__(self, name):
        self.name = name

    def __del__(self):  # What is raised in here is lost.
        os.kill(os.getpid(), getattr(signal, self.name))
        time.sleep(60)

def killed_where_it_is_lost(name):
    Lost(name)
    time.sleep(60)

def killed_while_modules_load(name):
    try:
        with loading():
            os.kill(os.getpid(), getattr(signal, name))
            time.sleep(60)
    finally:
        print("raised", flush=True)

def ctrl_c_while_loading():
    try:
        ctrl_c()
    except KeyboardInterrupt as error:
        raise ImportError("initialization failed") from error

def mistake(text):
    raise UserError(text)

def too_many_files():
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 99))
    asyncio.new_event_loop()

if os.environ.get("NOTEBOOK"):
    import builtins
    builtins.get_ipython = None
    try:
        main(run)
    except SystemExit as leaving:
        print("left with", leaving.code)
else:
    main(run)
"""


@pytest.fixture(scope="module")
def tool(tmp_path_factory):
    path = tmp_path_factory.mktemp("tool") / "tool.py"
    path.write_text(SCRIPT)
    # As a user runs it: with standard output buffered.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    environment["PYTHONPATH"] = str(ROOT)

    def run(*arguments, redirect="", command='"$0" "$@"'):
        line = f"{command} {redirect}"
        words = ["bash", "-o", "pipefail", "-c", line, sys.executable, str(path), *arguments]
        return subprocess.run(
            words, capture_output=True, text=True, env=environment, timeout=60,
            check=False, start_new_session=True,
        )  # fmt: skip

    return run


def outcome(done):
    return done.returncode, done.stdout, done.stderr


def test_a_command_that_succeeds_is_left_alone(tool):
    assert outcome(tool("--lines", "2")) == (0, "line 0\nline 1\n", "")


def test_a_commands_status_is_the_process_status(tool):
    assert outcome(tool("--fail", "3")) == (3, "line 0\n", "")


def test_a_command_that_a_signal_ended_in_good_order_dies_of_it_last(tool):
    """As training does, which notes it and saves; what is registered by then is still called."""
    expected = (-signal.SIGTERM, "line 0\ntidied\n", "")
    failure = "[atexit.register(os.write, 1, b'tidied\\n'), 128 + signal.SIGTERM][1]"
    assert outcome(tool("--fail", failure)) == expected


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--lines", "x"], "argument --lines: invalid int value: 'x'"),
        (["--mode", "c"], "argument --mode: invalid choice: 'c'"),
        (["--nonsense"], "unrecognized arguments: --nonsense;"),
        (["--lines"], "argument --lines: expected one argument"),
        # Not short for --lines.
        (["--line", "3"], "unrecognized arguments: --line 3 (did you mean --lines?)"),
        (["--lnes=3"], "unrecognized arguments: --lnes=3 (did you mean --lines?)"),
    ],
)
def test_a_mistyped_flag_is_one_line_and_status_2(tool, arguments, reason):
    status, output, error = outcome(tool(*arguments))
    assert (status, output) == (2, "")
    assert error.startswith(f"tool.py: error: {reason}")
    assert error.endswith("; see tool.py --help.\n")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("known", "given"), [("--out", "--checkpoint"), ("--checkpoint", "--out")], ids=str
)
def test_the_run_folder_has_a_flag_of_its_own_in_each_program(known, given):
    parser = Parser(prog="tool.py")
    parser.add_argument(known)
    with pytest.raises(UserError) as error:
        parser.parse_args([given, "checkpoints/fra"])
    message = f"unrecognized arguments: {given} checkpoints/fra (did you mean {known}?)"
    assert str(error.value) == f"{message}; see tool.py --help."


def test_help_is_printed_with_status_0(tool):
    status, output, error = outcome(tool("--help"))
    assert (status, error) == (0, "")
    assert "Does things." in output


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        ("mistake('take\\n  another')", "tool.py: error: take another\n"),
        ("mistake('`n_best` 3 needs a `beam`')", "tool.py: error: --n-best 3 needs a --beam\n"),
        ("mistake('no \\ud800 here')", "tool.py: error: no \\ud800 here\n"),
        ("open('missing.txt')", "tool.py: error: missing.txt: No such file or directory\n"),
        ("open('/')", "tool.py: error: /: Is a directory\n"),
        ("too_many_files()", "tool.py: error: input or output: Too many open files\n"),
        ("os.write(99, b'')", "tool.py: error: input or output: Bad file descriptor\n"),
    ],
)
def test_a_users_mistake_is_one_line_and_status_2(tool, failure, line):
    # What was printed before stays printed.
    assert outcome(tool("--fail", failure)) == (2, "line 0\n", line)


def test_a_fault_of_the_program_keeps_its_traceback(tool):
    status, _, error = outcome(tool("--fail", "1 / 0"))
    assert status == 1
    assert "Traceback" in error and "ZeroDivisionError" in error


@pytest.mark.parametrize(
    "failure", ["ctrl_c()", "ctrl_c_while_loading()", "ctrl_c_before_a_crash()"]
)
def test_ctrl_c_says_one_word(tool, failure):
    expected = (-signal.SIGINT, "line 0\n", "stopped\n")
    assert outcome(tool("--fail", failure)) == expected


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_leaves_nothing_half_written(tool, tmp_path, name):
    path = tmp_path / "out.txt"
    path.write_text("old\n")
    done = tool("--fail", f"killed_while_writing({str(path)!r}, {name!r})")
    assert outcome(done) == (-getattr(signal, name), "line 0\n", "stopped\n")
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("where", ["where_it_is_lost", "while_modules_load"])
def test_a_signal_is_heard_wherever_it_comes(tool, where, name):
    done = tool("--lines", "0", "--fail", f"killed_{where}({name!r})")
    assert outcome(done) == (-getattr(signal, name), "", "stopped\n")


def test_a_signal_that_is_ignored_stays_so(tool):
    """As under nohup."""
    command = 'trap "" INT TERM HUP; "$0" "$@"'
    failure = "[os.kill(os.getpid(), s) for s in (1, 2, 15)] and 0"
    assert outcome(tool("--fail", failure, command=command)) == (0, "line 0\n", "")


@pytest.mark.parametrize(
    "failure",
    [
        "[os.killpg(0, signal.SIGINT), time.sleep(60)]",
        # Noted, as in training.
        "[signal.signal(signal.SIGINT, print), os.killpg(0, signal.SIGINT), 130][2]",
    ],
)
def test_ctrl_c_ends_a_loop_of_the_shell_too(tool, failure):
    """A terminal sends it to the shell as well, which asks what the command died of."""
    command = 'for turn in 1 2; do echo turn $turn; "$0" "$@"; done'
    done = tool("--fail", failure, command=command)
    assert done.returncode == -signal.SIGINT
    assert "turn 1\nline 0\n" in done.stdout and "turn 2" not in done.stdout


@pytest.mark.parametrize(("failure", "said"), [("ctrl_c()", "stopped\n"), ("130", "")])
def test_in_a_notebook_the_process_lives_on(tool, failure, said):
    """There %run starts the command in the process of the notebook."""
    done = tool("--fail", failure, command='NOTEBOOK=1 "$0" "$@"')
    assert outcome(done) == (0, "line 0\nleft with 130\n", said)


def test_a_package_that_is_missing_keeps_its_traceback(tool):
    status, _, error = outcome(tool("--fail", "__import__('no_such_package')"))
    assert status == 1 and "ModuleNotFoundError" in error


def test_a_reader_that_leaves_is_no_error(tool):
    status, output, error = outcome(tool("--lines", "100000", redirect="| head -n 1"))
    assert (output, error) == ("line 0\n", "")
    assert status in (0, 128 + signal.SIGPIPE)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--lines", "2"], ["--lines", "2", "--fail", "mistake('x')"]]
)
def test_a_reader_that_never_reads_is_no_error(tool, arguments):
    # The shell waits for the reader to leave, so that even the first write fails.
    done = tool(*arguments, redirect="> >(exec <&-; sleep 0.2)")
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
    assert done.returncode in (0, 2, 128 + signal.SIGPIPE)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["--lines", "2"], ["--lines", "100000"]])
def test_a_full_disk_is_one_line_and_status_2(tool, arguments):
    expected = (2, "", "tool.py: error: input or output: No space left on device\n")
    assert outcome(tool(*arguments, redirect="> /dev/full")) == expected


def test_a_closed_standard_output_is_no_traceback(tool):
    assert outcome(tool(redirect=">&-")) == (0, "", "")


def test_a_parser_complains_by_a_user_error():
    parser = Parser(prog="tool.py")
    parser.add_argument("--epochs", type=int)
    with pytest.raises(UserError, match=r"--epochs.*tool.py --help"):
        parser.parse_args(["--epochs", "many"])


def test_main_always_leaves():
    with pytest.raises(SystemExit) as leaving:
        main(lambda: 0)
    assert leaving.value.code == 0


@pytest.mark.parametrize(
    ("program", "printed"),
    [
        ("train.py", "python decode.py --checkpoint 'a b' --beam 5"),
        ("/usr/bin/s2s-train", "s2s-decode --checkpoint 'a b' --beam 5"),
        ("s2s-keras", "s2s-decode --checkpoint 'a b' --beam 5"),
    ],
)
def test_what_to_type_next_is_typed_as_this_program_was(monkeypatch, program, printed):
    monkeypatch.setattr(sys, "argv", [program])
    assert command("decode.py", Path("a b"), "--beam", "5") == printed


@pytest.mark.parametrize("config", [DataConfig, ModelConfig, TrainConfig, DecodeConfig])
def test_flags_say_and_do_what_the_options_are_declared_as(config):
    parser = Parser(prog="tool.py")
    add_options(parser, config)
    assert vars(parser.parse_args([])) == {}  # What is not given is the configuration's affair.
    text = " ".join(parser.format_help().split())
    given = []
    for name, (field, _) in config.options().items():
        flag = "--" + name.replace("_", "-")
        assert flag in text
        if field.type is bool:
            given += [flag]
        else:
            default = f"{field.default:g}" if field.type is float else field.default
            assert default == "" or f"(default: {default})" in text
            given += [flag, str(field.default)]
    values = vars(parser.parse_args(given))
    assert set(values) == set(config.options())
    for name, value in values.items():
        default = config.options()[name][0].default or value
        assert value in (default, [default])
