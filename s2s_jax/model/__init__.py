"""The encoder, the decoder, and the losses; Flax modules and pure functions."""
