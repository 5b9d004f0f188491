"""What developers run: documentation, translations, screenshots."""
