"""The texts of every error code, one file for each kind of trouble; panel/explain.py shows them.

A key is a code, or code:face where a code has several; the face is the value of one of the params in FACES.
"""

from collections.abc import Mapping

from panel.causes import answer, data, engine, gateway, people, storage
from panel.causes.cause import Cause

FACES = ("deadline", "reason", "setting")
CAUSES: Mapping[str, Cause] = {
    **people.CAUSES,
    **gateway.CAUSES,
    **answer.CAUSES,
    **data.CAUSES,
    **storage.CAUSES,
    **engine.CAUSES,
}
