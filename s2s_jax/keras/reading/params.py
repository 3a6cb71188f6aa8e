"""The weights of a recognised model -> the parameters of a `Seq2Seq`, over Keras's symbols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from s2s_jax.errors import UserError
from s2s_jax.keras.reading.graph import Structure
from s2s_jax.keras.reading.heads import Attention, keys_of_heads
from s2s_jax.keras.reading.layers import Graph, Layer, refuse
from s2s_jax.keras.reading.sides import Side, Start
from s2s_jax.keras.reading.walking import directions, wrapped_kind
from s2s_jax.keras.weights import for_all_symbols, layer_names

Shape = tuple[int | None, ...]
Arrays = Callable[[str, Layer], list[np.ndarray]]
"""The weights of a layer in their order, by its name in the graph."""


def model_settings(structure: Structure, params: Any) -> dict[str, Any]:
    """What `ModelConfig` has to say of a model, but for its vocabularies and activation."""
    head = structure.attention
    inputs = params["encoder"]["inputs"]
    return {
        "latent_dim": structure.units,
        "embedding_dim": len(inputs["kernel"]) if "embedding" in inputs else 0,
        "attention": "luong" if head else "none",
        "attention_heads": head.heads if head else 1,
        "attention_mix": not head or bool(head.mix),
        "attend_embeddings": structure.attends_embedding,
        "bidirectional": structure.bidirectional,
        "encoder_layers": len(structure.encoder.lstms),
        "decoder_layers": len(structure.decoder.lstms),
        "residual": structure.residual,
        "tie_embeddings": "kernel" not in params["decoder"]["output"],
    }


class _Weights(NamedTuple):
    """The layers of a model, and where their weights are."""

    graph: Graph
    arrays: Arrays

    def of(self, name: str, *shapes: Shape) -> list[np.ndarray]:
        """The weights of a layer, each of its shape; None takes any size."""
        layer = self.graph.layers[name]
        found = self.arrays(name, layer)
        if len(found) != len(shapes):
            raise UserError(f"expected {len(shapes)} weights of {layer}; found {len(found)}.")
        for array, shape in zip(found, shapes, strict=True):
            fits = len(shape) == array.ndim
            if not fits or any(w not in (None, n) for w, n in zip(shape, array.shape, strict=True)):
                sizes = ", ".join("any" if n is None else str(n) for n in shape)
                raise UserError(
                    f"a weight of {layer} was expected to be float32 ({sizes}); found "
                    f"{array.dtype} {array.shape}."
                )
        return found

    def dense(self, name: str, inputs: int, features: int | None = None) -> list[np.ndarray]:
        """Kernel and bias of a Dense layer; zeros if it has none."""
        if self.graph.layers[name].settings.get("use_bias", True):
            return self.of(name, (inputs, features), (features,))
        (kernel,) = self.of(name, (inputs, features))
        return [kernel, np.zeros(kernel.shape[1:], np.float32)]


def read_params(graph: Graph, structure: Structure, arrays: Arrays) -> dict[str, Any]:
    """The parameters; rows of the vocabularies are in Keras's order.

    Raises:
      UserError: if a weight has another shape than its place in the model asks for.
    """
    weights, units = _Weights(graph, arrays), structure.units
    encoder, decoder = (
        _stack(weights, side, units) for side in (structure.encoder, structure.decoder)
    )
    _align(encoder, decoder, structure.attends_embedding)
    if structure.bidirectional or len(structure.starts) > 1:
        for number, state in enumerate((1, 0)):  # c, then h.
            columns = [_bridge(weights, structure, both[state]) for both in structure.starts]
            kernels, biases = zip(*columns, strict=True)
            encoder[f"bridge_{number}"] = {
                "kernel": np.concatenate(kernels, axis=1),
                "bias": np.concatenate(biases),
            }
    found = units if structure.attention else 0
    if structure.attends_embedding:
        found += encoder["inputs"]["embedding"]["embedding"].shape[1]
    if structure.attention:
        encoder["keys"] = {"kernel": _keys(weights, structure, found)}
    head = _head(weights, structure, decoder, found)
    return {"encoder": encoder, "decoder": {**decoder, **head}}


def _stack(weights: _Weights, side: Side, units: int) -> dict[str, Any]:
    """The LSTMs of a side, and its embeddings."""
    params: dict[str, Any] = {}
    width, table = None, None
    if side.embedding is not None:
        (table,) = weights.of(side.embedding, (None, None))
        width = table.shape[1]
    for n, name in enumerate(side.lstms):
        layer = weights.graph.layers[name]
        ways = len(directions(layer))
        size, cudnn = units // ways, wrapped_kind(layer) == "CuDNNLSTM"
        shapes = ((width, 4 * size), (size, 4 * size), ((8 if cudnn else 4) * size,))
        found = weights.of(name, *(shapes * ways))
        for way in range(ways):
            kernel, recurrent, bias = found[3 * way : 3 * way + 3]
            if cudnn:
                kernel, recurrent = _from_cudnn(kernel), _from_cudnn(recurrent)
                bias = bias[: 4 * size] + bias[4 * size :]
            inputs, cell = layer_names(n, way == 1)
            params[inputs] = {"kernel": kernel, "bias": bias}
            params[cell] = {"recurrent_kernel": recurrent}
        width = units
    if table is not None:
        params["inputs"]["embedding"] = {"embedding": table}
    return params


def _align(encoder: dict[str, Any], decoder: dict[str, Any], attended: bool) -> None:
    """Widens the narrower of two Embeddings by zeros, which nothing reads.

    One that is `attended` to cannot be widened so.
    """
    sides = (encoder, decoder)
    tables = [side["inputs"].get("embedding") for side in sides]
    if None in tables:
        if tables != [None, None]:
            refuse("one-hot vectors on both sides, or Embeddings", "one of each")
        return
    width = max(table["embedding"].shape[1] for table in tables)
    for side, table in zip(sides, tables, strict=True):
        missing = width - table["embedding"].shape[1]
        if missing and attended:
            refuse("Embeddings of one size where one is attended to", f"{width - missing}, {width}")
        if missing:
            table["embedding"] = np.pad(table["embedding"], [(0, 0), (0, missing)])
            for inputs in (side[name] for name in ("inputs", "backward_inputs") if name in side):
                inputs["kernel"] = np.pad(inputs["kernel"], [(0, missing), (0, 0)])


def _from_cudnn(array: np.ndarray) -> np.ndarray:
    """Weights `[inputs, 4 * units]` of a CuDNNLSTM, which has `[units, inputs]` of each gate."""
    size = len(array)
    gates = [gate.reshape(-1, size).T for gate in np.split(array, 4, axis=1)]
    return np.ascontiguousarray(np.concatenate(gates, axis=1))


def _bridge(weights: _Weights, structure: Structure, start: Start) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of the linear layer that makes an h or a c of all ends of the encoder."""
    units, lstms = structure.units, structure.encoder.lstms
    size = units // (2 if structure.bidirectional else 1)
    together = start.merge == "Concatenate"
    wide = size * (len(start.ends) if together else min(len(start.ends), 1))
    kernel = np.zeros((len(lstms) * units, units), np.float32)
    if not start.ends:
        return kernel, kernel[0]
    if start.dense:
        below, bias = weights.dense(start.dense, wide, units)
    elif wide == units:
        below, bias = np.eye(units, dtype=np.float32), np.zeros(units, np.float32)
    else:
        refuse(f"initial states of {units} units in the decoder", f"{wide}")
    share = 1 / len(start.ends) if start.merge == "Average" else 1
    for n, end in enumerate(start.ends):
        row = lstms.index(end.layer) * units + size * ((end.tensor - 1) // 2)
        block = below[n * size : (n + 1) * size] if together else below
        kernel[row : row + size] += np.float32(share) * block
    return kernel, bias


def _keys(weights: _Weights, structure: Structure, found: int) -> np.ndarray:
    """W_a `[found, units]`, with the scale of the scores."""
    head, units = structure.attention, structure.units
    assert head is not None
    if head.several:
        shapes = [(rows, head.heads, None) for rows in (units, found, found)]
        arrays = weights.of(head.several, *shapes, (head.heads, None, found))
        return keys_of_heads(weights.graph.layers[head.several], arrays)
    kernel = np.eye(units, dtype=np.float32)
    if head.keys:
        if head.on_queries:
            kernel = weights.dense(head.keys, units, found)[0].T
        else:
            kernel = weights.dense(head.keys, found, units)[0]
    if head.scale:
        kernel = kernel * weights.of(head.scale, ())[0]
    return np.ascontiguousarray(kernel)


def _head(weights: _Weights, structure: Structure, decoder: Any, found: int) -> dict[str, Any]:
    """What stands above the decoder's LSTMs: the tanh of attention, readout and output layer.

    `found` is the width of what attention finds, 0 without attention.
    """
    head, units = structure.attention, structure.units
    lstms_above = len(structure.decoder.lstms) > 1 and structure.residual
    mix, width = None, found + units
    if head and head.mix:
        kernel, bias = weights.dense(head.mix, width)
        mix, width = [_context_first(kernel, head, units), bias], kernel.shape[1]
        if width > units or (lstms_above and width < units):
            layer = weights.graph.layers[head.mix]
            refuse(f"{layer} no wider than the LSTMs, {units}", f"{width}")
    linear = []
    for name in filter(None, (structure.readout, structure.output)):
        linear.append(weights.dense(name, linear[-1][0].shape[1] if linear else width))
    linear[-1] = for_all_symbols(decoder, *linear[-1])
    if head and not head.mix:
        linear[0][0] = _context_first(linear[0][0], head, units)
    params: dict[str, Any] = {}
    table = decoder["inputs"].get("embedding", {}).get("embedding")
    narrowed = mix is not None and not lstms_above
    shared = table is not None and np.array_equal(linear[-1][0], table.T)
    if shared and narrowed == (len(linear) == 1):  # `tie_embeddings`.
        params["output"] = {"bias": linear[-1][1]}
        if len(linear) == 2:
            params["readout"] = _named(linear[0])
    else:
        kernel, bias = linear[-1]
        if len(linear) == 2:  # Two linear layers are one.
            kernel, bias = linear[0][0] @ kernel, linear[0][1] @ kernel + bias
        if mix is not None and width < units:
            # Columns of zeros: their tanh is 0, and nothing reads it.
            mix = [np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, units - width)]) for x in mix]
            kernel = np.pad(kernel, [(0, units - width), (0, 0)])
        params["output"] = _named([kernel, bias])
    return params if mix is None else {**params, "attention": {"mix": _named(mix)}}


def _named(layer: list[np.ndarray]) -> dict[str, np.ndarray]:
    return dict(zip(("kernel", "bias"), layer, strict=True))


def _context_first(kernel: np.ndarray, head: Attention, units: int) -> np.ndarray:
    """A kernel that reads [context; h_t] in this order."""
    if head.context_first:
        return kernel
    return np.concatenate([kernel[units:], kernel[:units]])
