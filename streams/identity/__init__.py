"""IDENTITY: which contact and which account every identifier belongs to, per span of time."""
