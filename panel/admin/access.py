"""Pages about people and programs: users, tokens, campuses, the trail of who did what, one's own account."""

from typing import Any

from flask import Flask
from flask_admin import Admin


def register(app: Flask, admin: Admin, db: Any) -> None:
    """Add these pages to the menu."""
