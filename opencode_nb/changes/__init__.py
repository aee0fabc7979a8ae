"""What turns did to files on disk: look at it, revert it, apply it again, back up what is overwritten."""
