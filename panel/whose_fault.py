"""Whose fault is it? The way of one login, step by step, and who is to be called about the first that is broken.

    our network ─► the name ─► a connection ─► the certificate ─► an answer ─► the login

Nothing is asked but the configured gateway, and that once (panel/probe.py): how far the question came tells the steps
apart, and why it went no further is the error's own sentence. Whether this server has a network is looked up here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panel.causes import FACES
from panel.causes.cause import N_
from panel.probe import ProbeResult

NETWORK, NAME, CONNECTION, CERTIFICATE, ANSWER, LOGIN = STEPS = (
    "network", "name", "connection", "tls", "answer", "login",
)  # fmt: skip
WELL, BROKEN, NOT_REACHED = "well", "broken", "not_reached"
TITLES: Mapping[str, str] = {
    NETWORK: N_("Our network"),
    NAME: N_("The gateway's name"),
    CONNECTION: N_("Connection"),
    CERTIFICATE: N_("Certificate"),
    ANSWER: N_("Answer"),
    LOGIN: N_("Login"),
}
# What it means that a step is well.
SENTENCES: Mapping[str, str] = {
    NETWORK: N_("This server has a network."),
    NAME: N_("The network knows where the gateway is."),
    CONNECTION: N_("The gateway's computer accepts connections."),
    CERTIFICATE: N_("The connection is encrypted, and the gateway has proved who it is."),
    ANSWER: N_("The gateway answers."),
    LOGIN: N_("The gateway accepts the user name and password."),
}
OURS, BETWEEN, GATEWAY, SETTINGS, SERVER = "ours", "between", "gateway", "settings", "server"
VERDICTS: Mapping[str | None, tuple[str, str]] = {
    OURS: (N_("The fault is in our own network."), N_("Call your network people.")),
    BETWEEN: (
        N_("The fault is on the way between this server and the gateway."),
        N_("Call your network people first; if their network is well, tell the gateway's support team."),
    ),
    GATEWAY: (N_("The fault is at the gateway."), N_("Tell the gateway's support team.")),
    SETTINGS: (N_("The fault is in the settings here."), N_("An administrator of this panel can mend it.")),
    SERVER: (N_("The fault is on this server."), N_("Call whoever looks after this server.")),
    None: (N_("It cannot be told now where the fault is."), ""),
}
# Whose matter a broken step is where its error says no more.
_BY_STEP = {
    NETWORK: OURS, NAME: OURS, CONNECTION: BETWEEN, CERTIFICATE: GATEWAY, ANSWER: GATEWAY, LOGIN: GATEWAY,
}  # fmt: skip
_BY_ERROR = {
    "E_CONNECT:refused": GATEWAY,
    "E_CONNECT:handshake": SETTINGS,
    "E_CONNECT:tls_name": SETTINGS,
    "E_CONNECT:tls_authority": SERVER,
    "E_CONFIG:base_url": SETTINGS,
    "E_REDIRECT": SETTINGS,
    "E_AUTH": SETTINGS,
}
_REFUSALS = ("E_AUTH", "E_GATEWAY")
_NO_NETWORK = ("E_CONNECT", {"reason": "network"})


@dataclass(frozen=True)
class Finding:
    """What became of each step in order, and why: code and params of what broke the first one (panel/explain.py).

    whose: a key of VERDICTS; None where nothing is broken, or it cannot be told.
    """

    steps: tuple[tuple[str, str], ...]  # step, and how it is: well, broken, not_reached
    code: str | None = None
    params: Mapping[str, Any] | None = None
    whose: str | None = None

    @property
    def ok(self) -> bool:
        return self.code is None

    @property
    def broken(self) -> str | None:
        """The first step that is broken."""
        return next((step for step, state in self.steps if state == BROKEN), None)


def find(answer: ProbeResult, address: str, *, network: bool | None = None) -> Finding:
    """Where the way to the gateway at this address breaks, by the answer to one login.

    network: whether this server has one (`has_network`); None: that is not known.
    """
    way = [step for step in STEPS if step != CERTIFICATE or address.lower().startswith("https:")]
    if answer.ok:
        return Finding(tuple((step, WELL) for step in way))
    code, params, broken = answer.code or "E_INTERNAL", dict(answer.params), _broken(answer, way)
    if network is False and broken == NAME:
        code, params = _NO_NETWORK[0], {**params, **_NO_NETWORK[1]}
    if (code, params.get("reason")) == (_NO_NETWORK[0], "network"):
        broken = NETWORK
    if broken is None:
        return Finding(tuple((step, NOT_REACHED) for step in way), code, params)
    place = way.index(broken)
    states = [WELL] * place + [BROKEN] + [NOT_REACHED] * (len(way) - place - 1)
    faces = [f"{code}:{params[name]}" for name in FACES if name in params]
    # A face that says nothing of its own does not stand for its code: E_AUTH is a wrong password, E_AUTH:token is not.
    key = faces[0] if faces else code
    return Finding(tuple(zip(way, states, strict=True)), code, params, _BY_ERROR.get(key, _BY_STEP[broken]))


def _broken(answer: ProbeResult, way: list[str]) -> str | None:
    """The step behind the last one that was reached; None where the question was never asked, or nobody knows."""
    if answer.reached == ANSWER:
        return LOGIN if answer.code in _REFUSALS else ANSWER
    if answer.reached:
        return way[way.index(answer.reached) + 1]
    asked = answer.code == "E_CONNECT" or (answer.code, answer.params.get("deadline")) == (
        "E_TIMEOUT",
        "name",
    )
    return NAME if asked else None


def has_network(proc: Path = Path("/proc/net")) -> bool | None:
    """Whether any way leads out of this machine, by its tables of routes; None where it has none that we can read."""
    try:
        routes = [line.split() for line in (proc / "route").read_text().splitlines()[1:]]
        devices = [one[0] for one in routes if one]
    except OSError:
        return None
    try:
        six = [line.split() for line in (proc / "ipv6_route").read_text().splitlines()]
    except OSError:
        six = []
    # Of IPv6, each card that is up has these two (link-local, multicast), and they lead nowhere.
    devices += [one[-1] for one in six if not one[0].startswith(("fe80", "ff00"))]
    return any(device != "lo" for device in devices)
