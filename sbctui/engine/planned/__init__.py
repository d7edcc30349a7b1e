"""Actions of a plan, by what they act on."""
