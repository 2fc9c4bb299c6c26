"""Diffusion models that render clips from sound: AVSyncD and TempoTokens. They are offline: the live process never imports this."""
