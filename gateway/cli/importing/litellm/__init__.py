"""`gateway import litellm`: models and routes out of a LiteLLM configuration, every field of it accounted for."""
