"""One screen, one file, its style beside it."""
