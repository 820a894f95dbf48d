"""Modes, regions, entropy and energy score of row-wise mixtures of normals."""
