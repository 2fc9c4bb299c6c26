"""The step as a graph, and how far a graph is from torch: parity, drift and the players that compare them."""
