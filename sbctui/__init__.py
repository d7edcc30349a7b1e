"""sbctui: manage the network-booted single-board computers of a lab."""

__version__ = "0.1.0"
