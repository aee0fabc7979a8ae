"""Figures and images as small PNG files."""
