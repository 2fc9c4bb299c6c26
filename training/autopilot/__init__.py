"""What `python -m training.teach` decides by itself: what a clip is like, what to teach it with, and what came of it."""
