"""What people look at: answers, runs and models as pictures and pages, and a run's card."""

CURVES, CARD = "curves.png", "README.md"
"""The picture of a run and its card, in the run folder."""
