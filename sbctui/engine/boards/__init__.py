"""The boards themselves: who asks for an address, and how far each boot came."""
