"""Repositories of images: their kinds, their mounts, and caches that follow them."""
