from tests.web import app, client, maryam, reza, rows, sara, web_config

__all__ = ["app", "client", "maryam", "reza", "rows", "sara", "web_config"]
