"""The lab in a box: a throw-away site with real services and simulated boards."""

PLACE = "SBCTUI_LAB"
"""Environment variable of everything in a lab: the lab's folder."""
