from tests.web import app, client, maryam, own_app, reza, rows, sara, web_config

__all__ = ["app", "client", "maryam", "own_app", "reza", "rows", "sara", "web_config"]
