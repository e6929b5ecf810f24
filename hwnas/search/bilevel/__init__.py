"""Searches that differentiate: NDARTS, hypergradients, the evolution of weights, the monitor of
collapse.
"""
