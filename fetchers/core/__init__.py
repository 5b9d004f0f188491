"""The data plane's machinery. Fetchers do not import it: they take their words from `fetchers`."""
