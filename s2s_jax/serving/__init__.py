"""Lines in, answers out: what decode.py does."""
