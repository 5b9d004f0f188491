"""A faithful peer of the Golestan gateway, for tests, benchmarks and the demonstration.

It runs as a process of its own (`python -m fetchers.golestan.simulator`) and shares no code with the product,
so that it cannot share a mistake with it. The people in it are invented; nothing here describes a real one.

While it runs, it is steered and questioned below /__sim__/ (JSON; no login, loopback only):

    GET  options, POST options {"profile": "hostile", "faults": {"empty": 0.5}, "latency": 50, …}   (also: profile)
    POST seed {"seed": 2}      another world         POST reset     as at the start
    GET  clock, POST clock {"today": "2027-02-01"}   POST revoke    every token ends now
    GET  campuses, terms       what there is         POST warm      render every page beforehand
    GET  truth/faculty, truth/student_terms[?campus=&term=], truth/students    JSON lines, as the tables shall be
    GET  truth/counts          rows of each table, and how many are rejected or doubled on the wire
    GET  stats, requests[?since=n], DELETE requests
    POST delta {"added": 3, "changed": 5, "gone": 2, "stream": "students"[, "campus": …, "term": …]}
    POST delta {"variant": "key_order" | "arabic" | "padding" | "record_order" | null}
    POST fault {"kind": "empty", "campus": "1110", "term": "4051", "page": 1, "times": 1, "after": 0}, DELETE fault
               `times` null is for ever; "status" and "body" take status, body and headers; endpoint: login, faculty,
               students; "rename" takes change "old=new"; "hang" and "drip" take seconds
"""
