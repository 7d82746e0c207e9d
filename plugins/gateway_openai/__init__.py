"""OpenAI-compatible upstreams."""
