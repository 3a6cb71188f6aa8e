"""A page to try a model, and its HTTP interface: decode.py --web."""
