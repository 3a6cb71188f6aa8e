"""Encoder-decoder models of Keras in and out: see `python -m s2s_jax.keras --help`.

The import needs h5py alone, the export Keras itself. Nothing is unpickled and no code of a model
is run: layers are recognised by how they are joined, weights are read as plain arrays.
"""
