"""The store: what lies on disk, how it is written and how it is read."""
