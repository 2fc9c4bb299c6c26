"""Families of generators, one folder each. `registry.family(name)` finds a family by the name of its folder."""
