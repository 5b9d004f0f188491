"""Measures the control plane at the size that it must hold (`make bench-size`).

A control database with 1,000 syncs and 300,000 runs behind them, the real engine, the real panel and a simulated
gateway on loopback: how late runs start, what an idle engine costs, how long the pages take. Nothing is patched; what
is measured is read from the database, from /proc, from the engine's log, and by asking the panel over HTTP.
"""
