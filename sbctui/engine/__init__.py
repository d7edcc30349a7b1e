"""The engine: typed values in and out; no terminal, no prompts, no exits."""
