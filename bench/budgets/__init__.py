"""What a request and a chunk cost, counted and not timed: `python -m bench.budgets --help`.

A gateway with all default plugins is asked one thing at a time, and its process is counted: the same on every machine.
"""
