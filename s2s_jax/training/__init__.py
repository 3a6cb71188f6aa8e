"""A training run, from what was asked for to a finished run folder."""
