"""What every answer of the web process has: security headers, error pages, /healthz."""
