"""What keeps an instance alive on its server: `up` and its children, gunicorn, the demonstration, the welcome."""
