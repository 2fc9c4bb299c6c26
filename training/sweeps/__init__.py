"""Many trainings from one file: what they are, how they are run, what came of them."""
