"""The model: recurrence, encoder, decoder and loss, as Flax modules and pure functions."""
