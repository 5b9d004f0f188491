def is_common(password: str) -> bool:
    return False
