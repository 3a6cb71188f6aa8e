"""The fit itself: one optimizer step, an epoch, all epochs; knows no files and no terminal."""
