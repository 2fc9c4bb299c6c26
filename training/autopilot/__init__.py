"""Decisions of `python -m training.teach`: clip analysis, crop, size and time of the training, and the summary at its end."""
