"""Generated clips: a physical scene driven by real recordings, from which a model can learn how frames follow sound."""
