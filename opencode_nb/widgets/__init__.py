"""anywidget classes: traits, one projection, one message handler each. All markup comes from render/."""
