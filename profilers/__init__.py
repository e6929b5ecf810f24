"""Measure a model on a device. A library of its own: it knows nothing of any search.

Light on purpose: importing this package imports neither torch nor onnxruntime.
"""
