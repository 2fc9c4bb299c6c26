"""TempoTokens: clips from sound, or from sound and text (Yariv et al., AAAI 2024, arXiv 2309.16429)."""
