"""Measurements of the desk, with peers in the same run where there are peers: `python -m benchmarks NAME`."""
