"""From source ids to answers: greedy search, beam search, sampling, scores."""
