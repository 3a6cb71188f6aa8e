"""How right the answers of a run are."""
