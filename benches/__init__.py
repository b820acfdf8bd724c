"""Benchmarks: each measures a peer or a bare baseline in the same run and prints ratios.

`python -m benches` runs all, `python -m benches NAME` one. Figures of one machine mean little; the ratios do.
"""
