"""The engine: the process that takes due runs and supervises them, one killable child per run.

worker      the process: clock, doorbell, dispatch, take-over, orderly end
lease       which engine leads now
schedule    what is due                            pause     until a moment that a person named
windows     when, by the academic calendar         days      working days, holidays, registration weeks
dispatch    which pending runs start now
supervise   one run from claim to verdict
child       the child process and its pipes        process   which process is which
wallclock   when somebody sets the clock back
journal     what the child reports, written down
verdict     how a run ended                        settle    writes it down: end, or another attempt
retry       whether to try again                   recover   runs whose engine is gone
spec        what a child is told
"""
