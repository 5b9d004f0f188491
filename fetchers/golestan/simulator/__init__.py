"""A faithful peer of the Golestan gateway, for tests, benchmarks and the demonstration.

It runs as a process of its own (`python -m fetchers.golestan.simulator`) and shares no code with the product,
so that it cannot share a mistake with it. The people in it are invented; nothing here describes a real one.
"""
