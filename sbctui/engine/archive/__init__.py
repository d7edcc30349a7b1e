"""Archives of nodes: one ordinary tar out, and in again what can be trusted (docs/archives.md)."""
