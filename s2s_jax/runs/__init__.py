"""The run folder on disk: configuration, steps, hashes, the lock. Knows no trainer."""
