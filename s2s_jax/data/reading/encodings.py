"""Text in other encodings: read as UTF-8 when named, and guessed at for a message when not."""

import codecs
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

from s2s_jax.errors import UserError
from s2s_jax.runtime.files import shown

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_GUESSES = 4
# Those looked for, the commoner first.
_ENCODINGS = (
    *("cp1252", "cp1251", "cp932", "gb18030", "cp949", "big5", "euc_jp", "cp1250", "koi8_r"),
    *("cp1256", "cp1255", "cp1253", "cp1254", "cp1257", "cp1258", "cp874", "mac_roman", "cp850"),
    *("cp866", "iso8859_5"),
)


def to_utf8(path: Path, chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """The text in UTF-8, without a byte order mark; without an `encoding` it is not checked.

    Raises:
      UserError: the encoding is unknown or not that of the text.
    """
    if encoding:
        chunks = _converted(path, chunks, _codec(encoding)())
    first = next(chunks, b"")
    if first.startswith(_UTF16):
        raise UserError(
            f"the data file must be UTF-8, but {shown(path)} is UTF-16 or UTF-32;"
            " save it as UTF-8, or give `encoding` utf-16 (or utf-32)"
        )
    yield first.removeprefix(codecs.BOM_UTF8)
    yield from chunks


def likely_encodings(line: bytes, sample: bytes) -> str:
    """What a line that is not UTF-8 may say, judged with others beside it, and what to do then."""
    from charset_normalizer import from_bytes  # Here: it takes 20 ms, and few need it.

    readings: dict[str, str] = {}
    matches = from_bytes(sample, cp_isolation=list(_ENCODINGS))
    fits = [(m.chaos, _ENCODINGS.index(name)) for m in matches for name in m.could_be_from_charset]
    for _, place in sorted(fits):
        text = line.decode(_ENCODINGS[place], "replace").strip()
        readings.setdefault(shown(text, 40), _ENCODINGS[place])
    if not readings:
        return "it looks like a binary file: save the text as UTF-8"
    likely = [f'{encoding} ("{text}")' for text, encoding in readings.items()][:_GUESSES]
    best = next(iter(readings.values()))
    return (
        f"it may be {' or '.join(likely)}; give the right one, such as `encoding` {best}, or"
        f" convert the file: iconv -f {best} -t utf-8 OLD.txt > NEW.txt"
    )


def _codec(encoding: str) -> Callable[[], codecs.IncrementalDecoder]:
    try:
        "".encode(encoding)  # refuses codecs that are not for text
        return codecs.getincrementaldecoder(encoding)
    except (LookupError, ValueError) as error:
        raise UserError(
            f"`encoding` must be one that Python knows, not {shown(encoding, 40)!r}; give for"
            " example cp1252, shift_jis or utf-16"
        ) from error


def _converted(
    path: Path, chunks: Iterator[bytes], decoder: codecs.IncrementalDecoder
) -> Iterator[bytes]:
    line = 1
    for chunk in itertools.chain(chunks, [b""]):
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            line += chunk.count(b"\n", 0, error.start)
            raise UserError(
                f"{shown(path)} is not {error.encoding}: line {line} has the byte"
                f" 0x{error.object[error.start]:02x}; give another `encoding`"
            ) from error
        except UnicodeError as error:  # UTF-16 without a byte order mark, for one.
            raise UserError(
                f"{shown(path)} is not in the `encoding` given: {shown(error, 80)}; give another,"
                " such as utf-16-le or utf-16-be for UTF-16 without a byte order mark"
            ) from error
        line += text.count("\n")
        yield text.encode()
