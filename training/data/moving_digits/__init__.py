"""Moving digits: clips in which sound and frames are known to the frame, made from a seed."""
