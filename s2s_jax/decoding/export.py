"""The greedy decoder of a run as one file that JAX runs without this package.

The file is a zip of two members:

    decoder.bin     jax.export: (source ids [batch, time], lengths [batch]) -> answers
    manifest.json   vocabularies, how a text is divided, and the SHA-256 of decoder.bin

The program holds the parameters, was lowered for every platform in `PLATFORMS`, and leaves the
batch and the time of the source open. `examples/run_exported.py` runs it.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import jax
import jax.export  # `import jax` alone does not bring it in jax 0.7.2.
import jax.numpy as jnp

from s2s_jax.data.vocabulary import Vocabulary
from s2s_jax.decoding.programs import greedy
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.runtime.files import replacing

PLATFORMS = ("cpu", "cuda", "tpu")
"""What the program is lowered for."""

PROGRAM, MANIFEST = "decoder.bin", "manifest.json"


def export(translator: Translator, path: Path, max_length: int = 0) -> None:
    """Writes `translator`'s greedy decoder to a file, whole or not at all.

    JAX reads files written by the same version or one up to six months older. Answers have at most
    `max_length` tokens; 0 takes the longest of training.

    Raises:
      UserError: if `flatbuffers` is not installed or the file cannot be written.
    """
    try:
        import flatbuffers  # noqa: F401  What jax.export writes with.
    except ImportError:
        raise UserError(
            "`export` needs flatbuffers; install it with: pip install flatbuffers"
        ) from None
    max_length = max_length or translator.run.config.max_length
    program = _program(translator, max_length)
    source, target = translator.run.source_vocabulary, translator.run.target_vocabulary
    encoder = translator.run.source_encoder
    manifest = {
        # Programs for the second format neither fill up before a source nor turn it around.
        "format": 3 if encoder.fill_before or encoder.backwards else 2,
        "jax": jax.__version__,
        "sha256": hashlib.sha256(program).hexdigest(),
        "max_length": max_length,
        "source_tokens": source.tokenizer.to_manifest(),
        "target_tokens": target.tokenizer.to_manifest(),
        "eos_id": Vocabulary.eos_id,
        # What unseen symbols of a source are read as; null: they are left out.
        "unk_id": Vocabulary.unk_id if source.tokenizer.reads_unseen else None,
        # A source of fewer ids than the first number is filled up with the second.
        "fill": [encoder.length, encoder.filler_id],
        "fill_before": encoder.fill_before,
        "backwards": encoder.backwards,
        "source_symbols": source.symbols,
        "target_symbols": target.names,
    }
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as file:
        file.writestr(MANIFEST, json.dumps(manifest, ensure_ascii=False))
        file.writestr(PROGRAM, program)


def _program(translator: Translator, max_length: int) -> bytes:
    """The serialized `(ids [batch, time], lengths [batch]) -> answers [batch, max_length]`."""
    params = jax.device_get(translator.params)  # The file is for one device.

    def decode(source: jax.Array, lengths: jax.Array) -> jax.Array:
        """Ids `[batch, max_length]` for padded ids `[batch, time]` of some lengths."""
        mask = jnp.arange(source.shape[1]) < lengths[:, None]
        return greedy(translator.model, max_length, None, params, source, mask, max_length)

    batch, time = jax.export.symbolic_shape("batch, time")
    exported = jax.export.export(jax.jit(decode), platforms=PLATFORMS)(
        jax.ShapeDtypeStruct((batch, time), jnp.int32), jax.ShapeDtypeStruct((batch,), jnp.int32)
    )
    return bytes(exported.serialize())
