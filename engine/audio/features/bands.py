"""The three bands of the sound, for levels, meters and the input trim alike."""

MID_HZ, HIGH_HZ = 200.0, 2000.0
"""Upper limit of the bass, lower limit of the treble."""
