"""What the commands have in common: flags from options, and one line for a user's mistake."""

from __future__ import annotations

import argparse
import atexit
import contextlib
import difflib
import gc
import io
import logging
import os
import shlex
import signal
import sys
import warnings
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NoReturn

from s2s_jax import __version__
from s2s_jax.config.options import Config, kind_of
from s2s_jax.errors import RunWarning, UserError, spell_options
from s2s_jax.runtime.interrupts import (
    SIGNALS,
    Terminated,
    die_of,
    owns_process,
    raise_again,
    raise_at_signals,
    signal_behind,
    stop,
)

_CONSOLE = {
    "train.py": "s2s-train",
    "decode.py": "s2s-decode",
    "-m s2s_jax.keras": "s2s-keras",
    "-m s2s_jax.pictures": "s2s-plot",
}

_show_warning = warnings.showwarning


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line; flags cannot be abbreviated."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **options
        )
        version = f"s2s_jax {__version__}"
        self.add_argument(
            "--version", action="version", version=version, help="show the version and exit"
        )

    def error(self, message: str) -> NoReturn:
        meant = self._meant(message)
        guess = f" (did you mean {meant}?)" if meant else ""
        raise UserError(f"{message}{guess}; see {self.prog} --help.")

    def _meant(self, message: str) -> str | None:
        """The flag that an unknown one may stand for."""
        unknown = message.removeprefix("unrecognized arguments: --")
        if unknown == message:
            return None
        name = "--" + unknown.split()[0].split("=")[0]
        flags = list(self._option_string_actions)
        # Training writes the run folder that decoding reads.
        same = [flag for flag in flags if {name, flag} == {"--out", "--checkpoint"}]
        return next(iter(same or difflib.get_close_matches(name, flags, 1)), None)


def add_options(
    group: argparse._ActionsContainer,
    config: type[Config],
    names: Collection[str] | None = None,
    *,
    show_defaults: bool = True,
    switch: type[argparse.Action] | str = "store_true",
) -> None:
    """Adds a flag for each option of a configuration, or for those named.

    What is not given stays out of the parsed arguments: the defaults are the configuration's, or
    without `show_defaults` someone else's. `switch` is the action of what is true or false.
    """
    for name, (field, about) in config.options().items():
        if names is not None and name not in names:
            continue
        flag, help_text = spell_options(f"`{name}`"), about.help.replace("%", "%%")
        kind = kind_of(field)
        if kind is bool:
            group.add_argument(flag, action=switch, default=argparse.SUPPRESS, help=help_text)
            continue
        default = f"{field.default:g}" if kind is float else field.default
        if default != "" and show_defaults:
            help_text += f" (default: {default})"
        group.add_argument(
            *filter(None, (flag, about.alias)),
            nargs="+" if about.most_values > 1 else None,
            type=kind,
            choices=about.choices or None,
            metavar=about.metavar,
            default=argparse.SUPPRESS,
            help=help_text,
        )


def add_devices(group: argparse._ActionsContainer) -> None:
    """Adds the flags of the devices that a process takes."""
    group.add_argument("--platform", choices=["cpu", "gpu", "tpu"],
        help="kind of device (default: the best that JAX finds)")  # fmt: skip
    group.add_argument("--devices", type=int, metavar="N",
        help="how many in each process (default: all that JAX finds)")  # fmt: skip


def main(run: Callable[[], int]) -> NoReturn:
    """Runs a command and exits with its status; a user's mistake is one line, not a traceback."""
    _quiet_libraries()
    # Output is UTF-8 in any locale; a terminal that cannot show a symbol shows its code point.
    if isinstance(sys.stdout, io.TextIOWrapper):
        encoding = sys.stdout.encoding if sys.stdout.isatty() else "utf-8"
        sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")
    warnings.simplefilter("always", RunWarning)
    warnings.showwarning = _warn
    ended_by: list[signal.Signals] = []
    # Registered first, it is called last: processes that train together part before.
    atexit.register(lambda: [die_of(signum) for signum in ended_by])
    if owns_process():
        raise_at_signals()
    try:
        try:
            status = run()
        except SystemExit as leaving:  # --help
            if signal_behind(leaving) is not None:
                raise
            status = leaving.code
        if sys.stdout is not None:
            sys.stdout.flush()
    except UserError as error:
        status = _complain(str(error))
    except BrokenPipeError:
        status = 128 + 13  # The reader is gone (| head): the status of a process killed by SIGPIPE.
    except OSError as error:
        status = _complain(f"{error.filename or 'input or output'}: {error.strerror or error}")
    except MemoryError:
        status = _complain("out of memory; free some, or use a smaller --batch-size.")
    except BaseException as error:
        signum = signal_behind(error)
        if signum is None:
            raise
        _silence()
        if owns_process():
            stop(signum)
        print("stopped", file=sys.stderr)
        status = 128 + signum
    if status == 2:
        gc.collect()  # What reports to the hook does so while there is one.
    _silence()
    if owns_process():
        ended_by += [signum for signum in SIGNALS if status == 128 + signum]
    sys.exit(status)


def command(script: str, folder: Path | Sequence[Path], *more: str) -> str:
    """A command for the user to type next, about a run folder or several."""
    flag = "--checkpoint" if script == "decode.py" else "--out"
    named = [folder] if isinstance(folder, Path) else folder
    runs = [word for each in named for word in (flag, str(each))]
    return shlex.join([*typed(script).split(), *runs, *more])


def typed(script: str) -> str:
    """How a script is started: with `python`, or as a console command if this process was."""
    return _CONSOLE[script] if _program().startswith("s2s-") else f"python {script}"


def counted(number: int, noun: str) -> str:
    """Such as "1 epoch" or "1,000 epochs"."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _quiet_libraries() -> None:
    """Hides what Orbax says of itself and of failures, which are reported anyway."""
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").addFilter(
        lambda record: "never retrieved" not in record.getMessage()
    )
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    # After such a read, threads of tensorstore still report to its closed event loop; and a loop
    # that could not be opened, for too many open files, cannot be closed.
    known = ("Event loop is closed", "has no attribute '_ssock'")

    def report(fault: sys.UnraisableHookArgs) -> None:
        if isinstance(fault.exc_value, KeyboardInterrupt | Terminated):
            raise_again(fault.exc_value)
        elif not str(fault.exc_value).endswith(known):
            sys.__unraisablehook__(fault)

    sys.unraisablehook = report


def _silence() -> None:
    """Lets Python's own flush at exit succeed after standard output has failed."""
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _warn(message: Warning, category: type[Warning], *where: Any) -> None:
    """Shows our warnings as one line, and others as Python does."""
    if issubclass(category, RunWarning):
        print(f"{_program()}: warning: {_one_line(str(message))}", file=sys.stderr)
    else:
        _show_warning(message, category, *where)


def _program() -> str:
    """What error messages begin with: the script, or the package that `python -m` runs."""
    path = Path(sys.argv[0])
    return ".".join(path.parts[-3:-1]) if path.name == "__main__.py" else path.name


def _complain(message: str) -> int:
    with contextlib.suppress(OSError):  # The terminal may be gone.
        print(f"{_program()}: error: {_one_line(message)}", file=sys.stderr)
    return 2


def _one_line(message: str) -> str:
    return " ".join(spell_options(message).split())
