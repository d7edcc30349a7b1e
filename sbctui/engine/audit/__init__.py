"""What disagrees on a site, and the plan that mends it."""
