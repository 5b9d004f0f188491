"""`python -m panel`: every command of the panel."""

import os

from panel.cli import main

if __name__ == "__main__":
    # Databases, keys and logs are for this account alone; the processes that we start inherit it.
    os.umask(0o077)
    main(prog_name="python -m panel")
