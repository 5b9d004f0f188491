"""The way to the gateway, its login, and its no."""

from collections.abc import Mapping

from panel.causes.cause import KEPT_OR_WHOLE, N_, WAIT, Cause

CAUSES: Mapping[str, Cause] = {
    "E_AUTH": Cause(
        (
            N_("The gateway {host} does not accept the user name or password (status {status})."),
            N_("The gateway does not accept the user name or password."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Enter the right login in the settings and press “Test connection”. "
                "It was tried once only, so that the account is not locked."
            ),
        ),
    ),
    "E_AUTH:token": Cause(
        (
            N_("The gateway {host} lets us log in and then refuses the pass that it has just given."),
            N_("The gateway lets us log in and then refuses the pass that it has just given."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Ask the gateway's support team whether this account may read these data. One new login was tried, "
                "and no more, so that the account is not locked."
            ),
        ),
    ),
    "E_AUTH:no_token": Cause(
        (
            N_("The gateway {host} answers the login, but does not give the pass that reading needs."),
            N_("The gateway answers the login, but does not give the pass that reading needs."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Check the gateway's address in the settings; if it is right, ask the gateway's support team whether "
                "its login has changed. It was tried once only, so that the account is not locked."
            ),
        ),
    ),
    "E_AUTH:forbidden": Cause(
        (
            N_("The gateway {host} forbids this server or this account to log in (status {status})."),
            N_("The gateway forbids this server or this account to log in."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Ask the gateway's support team whether this server’s address and this account are allowed to read it. "
                "It was tried once only, so that the account is not locked."
            ),
        ),
    ),
    "E_GATEWAY": Cause(
        (
            N_("The gateway refused the request (status {status}): {said}"),
            N_("The gateway refused the request (status {status})."),
            N_("The gateway refused the request."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Check the gateway's address in the settings, and ask its support team whether "
                "this server and this account may read it."
            ),
        ),
    ),
    "E_GATEWAY:forbidden": Cause(
        (
            N_("The gateway lets us log in, but forbids this account to read these data (status {status})."),
            N_("The gateway lets us log in, but forbids this account to read these data."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Ask the gateway's support team to allow this account, and this server’s address, to read these data."
            ),
        ),
    ),
    "E_GATEWAY:not_there": Cause(
        (
            N_("The gateway has nothing at the address that was asked (status {status})."),
            N_("The gateway has nothing at the address that was asked."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Check the gateway's address in the settings. If it is right, ask the gateway's support team "
                "whether this service was moved or taken away."
            ),
        ),
    ),
    "E_CONNECT": Cause(
        (
            N_("The gateway {host} could not be reached."),
            N_("The gateway could not be reached."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Check the network and the gateway's address in the settings. "
                "If the network is well, the gateway is down: the next run tries again."
            ),
        ),
    ),
    "E_CONNECT:network": Cause(
        (
            N_("This server has no network by which the gateway {host} could be reached."),
            N_("This server has no network by which the gateway could be reached."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Look at this server’s cable, network card and default route, or call your network people. "
                "The gateway is not to blame."
            ),
        ),
    ),
    "E_CONNECT:unreachable": Cause(
        (
            N_("The network has no way from this server to the gateway {host}."),
            N_("The network has no way from this server to the gateway."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Call your network people: a line between this server and the gateway is down. "
                "When it is back, the next run tries again."
            ),
        ),
    ),
    "E_CONNECT:refused": Cause(
        (
            N_("The computer of the gateway {host} is there, but nothing on it accepts connections."),
            N_("The gateway's computer is there, but nothing on it accepts connections."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "The gateway is stopped, or its port in the settings is wrong. Check the address; if it is right, "
                "tell the gateway's support team. The next run tries again."
            ),
        ),
    ),
    "E_CONNECT:broken": Cause(
        (
            N_("The connection to the gateway {host} broke before the answer was there."),
            N_("The connection to the gateway broke before the answer was there."),
        ),
        KEPT_OR_WHOLE,
        (WAIT,),
    ),
    "E_CONNECT:handshake": Cause(
        (
            N_("No safe (encrypted) connection to the gateway {host} came about."),
            N_("No safe (encrypted) connection to the gateway came about."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Check whether the address in the settings must begin with http or https, and the port in it. "
                "If they are right, tell the gateway's support team. Nothing was sent, so the login is safe."
            ),
        ),
    ),
    "E_CONNECT:dns": Cause(
        (
            N_("The name {host} is not known to the network."),
            N_("The gateway's name is not known to the network."),
        ),
        KEPT_OR_WHOLE,
        (N_("Check the gateway's address in the settings, and the server’s name service (DNS)."),),
    ),
    "E_CONNECT:dns_down": Cause(
        (
            N_("The name service (DNS) cannot be reached, so the address of {host} was not found."),
            N_("The name service (DNS) cannot be reached, so the gateway's address was not found."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Check this server’s network and its name service (DNS), or call your network people. "
                "The gateway was not asked."
            ),
        ),
    ),
    "E_CONNECT:tls": Cause(
        (
            N_("The gateway {host} has a certificate that cannot be trusted."),
            N_("The gateway has a certificate that cannot be trusted."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Ask the gateway's support team whether its certificate has expired or was changed; "
                "check the server’s clock too. Nothing was sent, so the login is safe."
            ),
        ),
    ),
    "E_CONNECT:tls_expired": Cause(
        (
            N_("The certificate of the gateway {host} has expired, or is not valid yet."),
            N_("The gateway's certificate has expired, or is not valid yet."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Check the server’s clock; if it is right, ask the gateway's support team for a new certificate. "
                "Nothing was sent, so the login is safe."
            ),
        ),
    ),
    "E_CONNECT:tls_name": Cause(
        (
            N_("The gateway {host} shows a certificate of another name."),
            N_("The gateway shows a certificate of another name."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Enter the gateway's address in the settings by the name in its certificate. "
                "Nothing was sent, so the login is safe."
            ),
        ),
    ),
    "E_CONNECT:tls_authority": Cause(
        (
            N_("The certificate of the gateway {host} is of an authority that this server does not know."),
            N_("The gateway's certificate is of an authority that this server does not know."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "If it is your university's own authority, install its certificate on this server; else ask the "
                "gateway's support team. Nothing was sent, so the login is safe."
            ),
        ),
    ),
    "E_TIMEOUT": Cause(
        (
            N_("The gateway did not answer within {seconds} seconds."),
            N_("The gateway did not answer in time."),
        ),
        KEPT_OR_WHOLE,
        (WAIT,),
    ),
    "E_TIMEOUT:silence": Cause(
        (
            N_("The gateway took the connection and then was silent for {seconds} seconds."),
            N_("The gateway took the connection and then was silent."),
        ),
        KEPT_OR_WHOLE,
        (WAIT,),
    ),
    "E_TIMEOUT:name": Cause(
        (
            N_("The name service (DNS) said nothing about {host} within {seconds} seconds."),
            N_("The name service (DNS) did not answer in time."),
        ),
        KEPT_OR_WHOLE,
        (N_("Check the server’s name service (DNS) and its network; then run it again."),),
    ),
    "E_TIMEOUT:connect": Cause(
        (
            N_("No connection to the gateway {host} came about within {seconds} seconds."),
            N_("No connection to the gateway came about in time."),
        ),
        KEPT_OR_WHOLE,
        (
            N_(
                "Check the network, and whether a firewall lets this server through. "
                "If both are well, the gateway is down: the next run tries again."
            ),
        ),
    ),
    "E_TIMEOUT:request": Cause(
        (
            N_("The gateway's answer was not complete within {seconds} seconds."),
            N_("The gateway's answer was not complete in time."),
        ),
        KEPT_OR_WHOLE,
        (WAIT,),
    ),
    "E_SERVER": Cause(
        (
            N_("The gateway has a fault of its own (status {status})."),
            N_("The gateway has a fault of its own."),
        ),
        KEPT_OR_WHOLE,
        (WAIT,),
    ),
    "E_RATE": Cause(
        (N_("The gateway asks for fewer requests and did not let us go on."),),
        KEPT_OR_WHOLE,
        (N_("Lower “Requests per second” in the settings, or sync at a quieter hour."),),
    ),
    "E_UNAVAILABLE": Cause(
        (
            N_(
                "The gateway {host} failed again and again, for all that asked it. Hamgam now asks it one small "
                "question at a time, and goes on by itself when it answers."
            ),
            N_("The gateway failed again and again, so Hamgam asks it only now and then."),
        ),
        KEPT_OR_WHOLE,
        (WAIT,),
    ),
    "E_UNAVAILABLE:pause": Cause(
        (
            N_(
                "The gateway {host} has asked for a pause, so it was not asked. Try again in {seconds} seconds."
            ),
            N_("The gateway has asked for a pause, so it was not asked."),
        ),
        KEPT_OR_WHOLE,
        (WAIT,),
    ),
    "E_REDIRECT": Cause(
        (
            N_(
                "The gateway sends us on to another address ({location}); "
                "we did not follow, to protect the login."
            ),
            N_("The gateway sends us on to another address; we did not follow, to protect the login."),
        ),
        KEPT_OR_WHOLE,
        (N_("If the gateway has moved, enter its new address in the settings."),),
    ),
}
