"""The anywidget classes: traits, one projection and one message handler each. All markup comes from render/."""
