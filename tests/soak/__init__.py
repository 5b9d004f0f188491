"""Half an hour of a real house before a hostile gateway, while its processes are killed at random (`make soak`).

accounts      every due time: a run, or a line that says why there was none
flatness      memory, open files and threads of each process over its life
house         the house: four sources, each due every minute
weather       what the gateway does         mischief      what happens to the processes
people        what they do, and whether pages answer        troop         all of them together
judgement     what must be so when all is over
"""
