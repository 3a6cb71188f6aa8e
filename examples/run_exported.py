"""Runs what `decode.py --export FILE` has written, with JAX and without s2s_jax.

python examples/run_exported.py FILE 'Go.' 'I won!'

Needs jax, numpy and flatbuffers; with words or graphemes also regex, with subwords sentencepiece.
Runs on a CPU, an NVIDIA GPU or a TPU.
"""

import base64
import hashlib
import importlib
import json
import re
import sys
import unicodedata
import zipfile
from typing import NoReturn

import jax.export
import numpy as np


def complain(message) -> NoReturn:
    """Ends with a line and the status of a user's mistake."""
    print(message, file=sys.stderr)
    sys.exit(2)


def load(name):
    """A package that only some files need."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        complain(f"this file needs {name}; install it with: pip install {name}")


if len(sys.argv) < 3:
    complain("give a file and texts, as in: python examples/run_exported.py FILE 'Go.' 'I won!'")
path, *texts = sys.argv[1:]
try:
    with zipfile.ZipFile(path) as file:
        about, program = json.loads(file.read("manifest.json")), file.read("decoder.bin")
    if hashlib.sha256(program).hexdigest() != about["sha256"]:
        raise ValueError("its decoder is not the one that was written")
except Exception as error:  # Of zipfile, zlib, json, and of what they read.
    reason = getattr(error, "strerror", None) or error
    complain(f"{path} is not what decode.py --export wrote: {reason}")
load("flatbuffers")
try:
    decode = jax.export.deserialize(bytearray(program)).call
except ValueError as error:
    reason = " ".join(str(error).split())[:200]
    complain(f"JAX {jax.__version__} cannot read {path} ({reason}); try a newer version of it")

divides, joins = about.get("source_tokens"), about.get("target_tokens")
if about["format"] == 1:
    divides = {"pattern": about["token_pattern"], "unicode": False}
    joins = {"joiner": "", "strip": about["tokens"] == "word"}
ids = {symbol: i for i, symbol in enumerate(about["source_symbols"])}
if "model" in divides:
    model = base64.b64decode(divides["model"])
    subwords = load("sentencepiece").SentencePieceProcessor(model_proto=model)
    stand_ins = divides["stand_ins"]
    there = str.maketrans(stand_ins)
    back = str.maketrans({"▁": " ", **{new: old for old, new in stand_ins.items()}})

    def divide(text) -> list[str]:
        """The subwords of a text."""
        pieces = [p.translate(back) for p in subwords.encode_as_pieces(text.translate(there))]
        # Characters that SentencePiece does not know come together.
        return [part for piece in pieces for part in ([piece] if piece in ids else piece)]
else:
    # The patterns of regex know Unicode's words and graphemes.
    patterns = load("regex") if divides["unicode"] else re

    def divide(text) -> list[str]:
        """The symbols of a text, prepared as the tokenizer of its run prepares it."""
        text = unicodedata.normalize("NFD", text) if divides.get("decomposed") else text
        text = text.lower() if divides.get("lower") else text
        text = text.translate(dict.fromkeys(map(ord, divides.get("filters", "")), " "))
        return patterns.findall(divides["pattern"], text)


rows = []
for text in texts:
    tokens = divide(unicodedata.normalize("NFC", text).strip())
    found = [ids.get(token, about["unk_id"]) for token in tokens]
    row = [i for i in found if i is not None]
    row = row[::-1] if about.get("backwards") else row
    length, filler = about["fill"]
    fillers = [filler] * (length - len(row)) if row else []
    rows.append(fillers + row if about.get("fill_before") else row + fillers)
source = np.zeros((len(rows), max(map(len, rows), default=0) or 1), np.int32)
for row, found in zip(source, rows, strict=True):
    row[: len(found)] = found

for answer in np.asarray(decode(source, np.array([len(row) for row in rows], np.int32))):
    # Behind the end of an answer stands padding, and an answer may be cut off before its end.
    symbols = [about["target_symbols"][i] for i in answer if i not in (0, about["eos_id"])]
    text = joins["joiner"].join(symbols)
    text = unicodedata.normalize("NFC", text) if joins.get("decomposed") else text
    if "model" in joins:
        text = text.removeprefix(" ")
    print(text.lstrip() if joins["strip"] else text)
