"""Searches that differentiate: NDARTS, hypergradients, the evolution of weights, the watch over collapse."""
