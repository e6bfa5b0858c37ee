"""Simple subjects: outlines of things, and where they are in a picture."""
