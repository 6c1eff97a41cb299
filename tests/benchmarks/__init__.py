"""
Benchmarks: what the framework costs beside code that is written by hand for a driver, and beside its peers.

`./run bench` runs them: a module for each workload in `tests.benchmarks.workloads`, and one for each peer in
`tests.benchmarks.peers`.
"""
