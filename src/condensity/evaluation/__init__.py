"""Scores, scorers, selection, diagnostics and comparisons of conditional densities on held-out rows."""
