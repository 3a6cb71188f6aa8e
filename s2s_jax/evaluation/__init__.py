"""How accurate the answers of a run are."""
