"""The control plane: people, schedules, and the truth about runs.

`create_app` is the only wiring of the web part. Flask is imported inside it, so that the engine and the
commands, which import this package too, do without.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask

    from panel.config import Config

ROOT = Path(__file__).resolve().parent.parent


def create_app(config: Config | None = None) -> Flask:
    """Build the panel: settings, database, language, the gate, the pages, the API.

    1. Read the settings; nonsense raises before anything is opened.
    2. Bind the extensions.
    3. Put the gate before every route (strangers see the sign-in page and nothing else), CSRF behind it.
    4. Register the doors: sign-in, REST, the admin pages.
    """
    from flask import Flask

    from panel import admin
    from panel.admin import access
    from panel.api import api
    from panel.auth import gate, locale, login, sessions, theme
    from panel.config import load
    from panel.db import intent_to_write
    from panel.extensions import babel, csrf, db, login_manager
    from panel.secret_key import check_key
    from panel.web import assets, error_pages, headers, health

    config = config or load()
    app = Flask(__name__, template_folder=str(ROOT / "templates"), static_folder=None)
    app.extensions["hamgam_config"] = config
    app.config.update(
        SECRET_KEY=check_key(config.secret_key, "PANEL_SECRET_KEY"),
        SQLALCHEMY_DATABASE_URI=config.panel_database_url,
        SQLALCHEMY_ENGINE_OPTIONS={"pool_pre_ping": True},
        MAX_CONTENT_LENGTH=2 * 1024 * 1024,
        MAX_FORM_MEMORY_SIZE=1024 * 1024,
        MAX_FORM_PARTS=1000,
        # A form lives as long as the session that it belongs to; the gate compares the origin itself.
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
        BABEL_DEFAULT_LOCALE=config.language,
        BABEL_DEFAULT_TIMEZONE="Asia/Tehran",
    )
    sessions.install(app)
    db.init_app(app)
    babel.init_app(app, locale_selector=locale.current)
    login_manager.init_app(app)

    locale.install(app)
    theme.install(app)
    headers.install(app)
    assets.install(app, ROOT / "static")
    gate.install(app)
    csrf.init_app(app)
    csrf.exempt(api)
    error_pages.install(app)

    app.register_blueprint(health.health)
    app.register_blueprint(login.auth)
    app.register_blueprint(api)
    site = admin.build(app)
    admin.register(app, site)
    access.register(app, site, db)

    plain = app.wsgi_app

    def writes_open_immediate(environ: dict[str, Any], start_response: Any) -> Any:
        """Requests that may change something say so before their first statement (panel/db.py)."""
        if environ["REQUEST_METHOD"] in gate.SAFE_METHODS:
            return plain(environ, start_response)
        with intent_to_write():
            return plain(environ, start_response)

    app.wsgi_app = writes_open_immediate  # type: ignore[method-assign]
    if config.proxies:
        from werkzeug.middleware.proxy_fix import ProxyFix

        # Exactly as many entries as there are proxies: what stands before them, anybody may have written.
        hops = config.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app
