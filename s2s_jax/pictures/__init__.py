"""What people look at: answers, runs and models as pictures and pages, and a run's card."""
