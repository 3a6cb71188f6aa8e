"""Coverage-guided fuzzing of the readers of data files: any bytes give pairs or one UserError.

    pip install -e '.[fuzz]'
    python tests/helpers/fuzz_readers.py -max_total_time=3600 [FOLDER FOR WHAT IS FOUND]

The first byte chooses how the rest is read: as it is under each suffix, or wrapped in a whole
gzip file or zip archive, so that the lines inside are reached too.
"""

import gzip
import io
import sys
import tempfile
import unicodedata
import zipfile
from dataclasses import replace
from pathlib import Path

SUFFIXES = (".txt", ".tsv", "", ".gz", ".txt.gz", ".zip", ".csv", ".jsonl")


def wrapped(data: bytes) -> tuple[str, bytes]:
    """A suffix and the bytes of a file, as the first byte of `data` says."""
    how, data = data[0] if data else 0, data[1:]
    if how < 128:
        return SUFFIXES[how % len(SUFFIXES)], data
    if how < 160:
        return ".gz", gzip.compress(data, compresslevel=1, mtime=0)
    name, _, content = data.partition(b"\n")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED if how % 2 else 0) as archive:
        archive.writestr("a" + name.decode("utf-8", "replace")[:60], content)
    return ".zip", packed.getvalue()


def check(data: bytes, folder: Path) -> None:
    """Reads the bytes as a data file; raises whatever a user must never see."""
    from s2s_jax.config import EVERYTHING
    from s2s_jax.data.corpus import normalize, read_pairs
    from s2s_jax.errors import UserError

    suffix, content = wrapped(data)
    path = folder / f"data{suffix}"
    path.write_bytes(content)
    limit = len(data) % 7
    try:
        corpus = read_pairs(path, replace(EVERYTHING, num_samples=limit, swap=bool(len(data) % 2)))
    except UserError as error:
        message = str(error)
        assert message.isprintable() and len(message) < 2000, repr(message)
        return
    finally:
        path.unlink()
    assert 0 < len(corpus.pairs) <= (limit or len(corpus.pairs))
    assert len(set(corpus.pairs)) == len(corpus.pairs)
    for pair in corpus.pairs:
        for side in pair:
            assert side and side == normalize(side) and unicodedata.is_normalized("NFC", side)
            assert not {"\t", "\n", "\r", "\0"} & set(side)
            side.encode()  # No lone surrogates.


def seeds() -> list[bytes]:
    """Whole files to begin with."""
    text = "Go.\tVa !\tCC-BY\r\nRun!\tCours\u202f!\n\nno tab\n\u00e9\te\u0301\n".encode()
    both = [wrapped(bytes([how]) + b".txt\n" + text)[1] for how in (150, 161, 162)]
    whole = [bytes([5 if packed[:2] == b"PK" else 3]) + packed for packed in both]
    return [b"\0" + text, b"\0\xef\xbb\xbf" + text, b"\x96" + text, b"\xa1.txt\n" + text, *whole]


def main() -> None:
    import atheris

    for name in ("gzip", "zipfile"):
        sys.modules.pop(name, None)  # Imported anew below, so that they are instrumented too.
    with atheris.instrument_imports(include=["s2s_jax", "gzip", "zipfile"]):
        import s2s_jax.data.corpus  # noqa: F401
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder) / "seeds"
        start.mkdir()
        for number, seed in enumerate(seeds()):
            (start / str(number)).write_bytes(seed)
        found = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
        flags = [argument for argument in sys.argv[1:] if argument.startswith("-")]
        files = Path(folder) / "files"
        files.mkdir()
        atheris.Setup([sys.argv[0], *flags, *found, str(start)], lambda data: check(data, files))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
