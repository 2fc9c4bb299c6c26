"""AVSyncD (Zhang et al., ECCV 2024, arXiv 2403.05659): a still, a sound and the name of a class become a clip that moves with the sound."""
