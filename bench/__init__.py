"""Measures the gateway and its peers: `python -m bench --help`. Nothing of it is in the wheel."""
