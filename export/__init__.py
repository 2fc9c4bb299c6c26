"""Turns a checkpoint into a model file the engine plays."""

import training as training  # before torch is loaded, see there
