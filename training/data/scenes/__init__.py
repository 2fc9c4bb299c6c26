"""Made clips: a physical scene, moved by real recordings, from which a generator can learn how picture follows sound."""
