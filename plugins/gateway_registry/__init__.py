"""Model lookup in the registry's own tables."""
