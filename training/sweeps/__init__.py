"""Sweeps: many trainings from one file, with their plan, launcher, trials and table of results."""
