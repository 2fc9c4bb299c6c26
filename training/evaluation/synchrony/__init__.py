"""How well a film moves with its sound: published measures and a small classifier, each with a floor and a ceiling."""
