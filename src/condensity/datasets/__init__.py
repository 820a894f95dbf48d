"""Synthetic problems with a known conditional density."""
