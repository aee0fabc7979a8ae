"""Changes that turns made to files on disk: inspect, revert and reapply them, and back up what is overwritten."""
