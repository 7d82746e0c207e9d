"""Wire formats: framings and the dialects spoken on top of them."""
