"""What concerns the notebook that a view stands in."""
