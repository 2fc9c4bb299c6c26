"""Rendered clips beside real ones: the metrics of AVSyncD and TempoTokens, each with a floor and a ceiling."""
