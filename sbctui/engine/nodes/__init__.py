"""Planners and performers of the heart: roots, leaves, trash."""
