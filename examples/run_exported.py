"""Runs what `decode.py --export FILE` has written, with JAX and without s2s_jax.

python examples/run_exported.py FILE 'Go.' 'I won!'

Needs jax, numpy and flatbuffers; runs on a CPU, an NVIDIA GPU or a TPU.
"""

import base64
import hashlib
import json
import re
import sys
import unicodedata
import zipfile

import jax.export
import numpy as np

if len(sys.argv) < 3:
    sys.exit(__doc__)
path, *texts = sys.argv[1:]
try:
    with zipfile.ZipFile(path) as file:
        about, program = json.loads(file.read("manifest.json")), file.read("decoder.bin")
    if hashlib.sha256(program).hexdigest() != about["sha256"]:
        raise ValueError("its decoder is not the one that was written")
except Exception as error:  # Of zipfile, zlib, json, and of what they read.
    reason = getattr(error, "strerror", None) or error
    print(f"{path} is not what decode.py --export wrote: {reason}", file=sys.stderr)
    sys.exit(2)
decode = jax.export.deserialize(bytearray(program)).call

divides, joins = about.get("source_tokens"), about.get("target_tokens")
if about["format"] == 1:
    divides = {"pattern": about["token_pattern"], "unicode": False}
    joins = {"joiner": "", "strip": about["tokens"] == "word"}
ids = {symbol: i for i, symbol in enumerate(about["source_symbols"])}
if "model" in divides:
    from sentencepiece import SentencePieceProcessor  # pip install sentencepiece

    subwords = SentencePieceProcessor(model_proto=base64.b64decode(divides["model"]))
    stand_ins = divides["stand_ins"]
    there = str.maketrans(stand_ins)
    back = str.maketrans({"▁": " ", **{new: old for old, new in stand_ins.items()}})

    def divide(text):
        """The subwords of a text."""
        pieces = [p.translate(back) for p in subwords.encode_as_pieces(text.translate(there))]
        # Characters that SentencePiece does not know come together.
        return [part for piece in pieces for part in ([piece] if piece in ids else piece)]
else:
    if divides["unicode"]:
        import regex as re  # pip install regex: its patterns know Unicode's words and graphemes.

    def divide(text):
        """The symbols of a text, prepared as the tokenizer of its run prepares it."""
        text = unicodedata.normalize("NFD", text) if divides.get("decomposed") else text
        text = text.lower() if divides.get("lower") else text
        text = text.translate(dict.fromkeys(map(ord, divides.get("filters", "")), " "))
        return re.findall(divides["pattern"], text)


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
