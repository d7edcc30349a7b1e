"""Making a server of this machine: a user, a site, a unit, running services."""
