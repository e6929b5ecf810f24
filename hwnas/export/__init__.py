"""Trained networks as files that run: one file per format, and their verification."""
