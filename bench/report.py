"""Figures of several rounds -> medians, ratios, and tables for the terminal and for Markdown."""

import datetime
import importlib.metadata
import json
import os
import platform
import re
import shlex
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

PACKAGES = ("jax", "flax", "optax", "keras", "tensorflow", "torch", "numpy")

Rounds = list[dict[str, Any] | None]
"""One program's figures in each round; None where it failed."""


class Grid(NamedTuple):
    """A table before it has a form; the first column is the name of a row."""

    title: str
    headings: tuple[str, ...]
    rows: list[tuple[str, ...]]
    notes: tuple[str, ...] = ()


def median(rounds: Rounds, key: str) -> float | None:
    """The median of one figure over the rounds that have it."""
    values = [figures[key] for figures in rounds if figures and figures.get(key) is not None]
    return statistics.median(values) if values else None


def ratios(numerators: Rounds, denominators: Rounds, key: str) -> list[float]:
    """One figure's ratio within each round: what drifts from round to round cancels."""
    return [
        a[key] / b[key]
        for a, b in zip(numerators, denominators, strict=False)
        if a and b and a.get(key) and b.get(key)
    ]


def ratio_text(values: Sequence[float]) -> str:
    """Median, least and greatest of some ratios."""
    if not values:
        return ""
    text = f"{_three_digits(statistics.median(values))}x"
    if len(values) > 1:
        text += f" ({_three_digits(min(values))} to {_three_digits(max(values))})"
    return text


def _three_digits(value: float) -> str:
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}"


def number(value: float | None, digits: int = 0) -> str:
    """A figure for a cell; empty where there is none."""
    return "" if value is None else f"{value:,.{digits}f}"


def with_problems(grid: Grid, problems: dict[str, str | None]) -> Grid:
    """Rows that could not be measured say why instead."""
    width = len(grid.headings) - 2
    rows = [
        row if not problems.get(row[0]) else (row[0], problems[row[0]], *[""] * width)
        for row in grid.rows
    ]
    return grid._replace(rows=rows)


def rich_table(grid: Grid) -> Table:
    """For the terminal."""
    table = Table(title=grid.title, title_justify="left", caption="\n".join(grid.notes) or None)
    table.caption_justify = "left"
    for heading in grid.headings:
        table.add_column(heading, justify="left" if heading == grid.headings[0] else "right")
    for row in grid.rows:
        table.add_row(*row)
    return table


def markdown(grid: Grid, *below: str) -> str:
    """A section of RESULTS.md, with more paragraphs below the table's notes."""
    lines = [grid.headings, ("---", *["--:"] * (len(grid.headings) - 1)), *grid.rows]
    escaped = [[cell.replace("|", "\\|") for cell in cells] for cells in lines]
    table = "\n".join("| " + " | ".join(cells) + " |" for cells in escaped)
    return "\n\n".join([f"## {grid.title}", table, *grid.notes, *below])


def conditions(command: str) -> dict[str, Any]:
    """What figures depend on: command, date, hardware and versions."""
    versions = {"Python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "command": command,
        "date": datetime.date.today().isoformat(),
        "commit": _output(["git", "describe", "--always", "--dirty"]),
        "hardware": hardware(),
        "versions": versions,
    }


def hardware() -> str:
    """The processor and its cores, the memory, and the graphics card if there is one."""
    name = platform.machine()
    cpu, memory = Path("/proc/cpuinfo"), Path("/proc/meminfo")
    if cpu.exists() and (found := re.search(r"model name\s*: (.*)", cpu.read_text())):
        name = found[1]
    text = f"{name}, {len(os.sched_getaffinity(0))} cores"
    if memory.exists() and (found := re.search(r"MemTotal:\s*(\d+)", memory.read_text())):
        text += f", {int(found[1]) / 2**20:.0f} GiB"
    card = _output(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"])
    return f"{text}, {card}" if card else text


def _output(command: list[str]) -> str:
    """What a command says in its first line; nothing where it does not exist or fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent
        )
    except OSError:
        return ""
    return done.stdout.strip().split("\n")[0] if done.returncode == 0 else ""


def shown_command(program: str, arguments: Sequence[str]) -> str:
    """The command to repeat; of absolute paths, which differ between machines, the names."""
    names = [Path(word).name if word.startswith("/") else word for word in arguments]
    return shlex.join(["python", program, *names])


def conditions_text(facts: dict[str, Any]) -> str:
    """One paragraph under a heading of RESULTS.md."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"`{facts['command']}`\n\n{facts['date']}, commit {facts['commit'] or 'unknown'}; "
        f"{facts['hardware']}; {versions}."
    )


def write_section(path: Path, name: str, text: str) -> None:
    """Puts a section between its markers in a Markdown file, and leaves all else alone."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    section = f"{begin}\n{text}\n{end}"
    page = path.read_text(encoding="utf-8") if path.exists() else "# Measurements\n"
    if begin in page and end in page:
        before, rest = page.split(begin, 1)
        page = before + section + rest.split(end, 1)[1]
    else:
        page = f"{page.rstrip()}\n\n{section}\n"
    write_whole(path, page)


def write_json(path: Path, name: str, figures: Any) -> None:
    """Puts one table's figures under its name in a JSON file."""
    everything = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    everything[name] = figures
    write_whole(path, json.dumps(everything, indent=1, ensure_ascii=False) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
