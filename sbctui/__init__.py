"""sbctui: manage the network-booted single-board computers of a lab."""
