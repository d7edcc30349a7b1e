"""The lab in a box: a throw-away site with real services and simulated boards."""
