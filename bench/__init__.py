"""Measures Hamgam's data plane against the limit of the machine that it runs on (`make bench`).

One simulated gateway on loopback serves every contestant; each contestant is a process of its own and is measured
whole, with its start-up; each result is compared with what the gateway knows to be true. Figures of one run may be
compared with each other, figures of two machines or two days may not.
"""
