"""What a board loads: rendered from the node and a template."""
