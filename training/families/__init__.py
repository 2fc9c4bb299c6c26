"""Families of generators. Each folder holds one: its configuration and its networks."""
