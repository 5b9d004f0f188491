"""Between us and a gateway: requests with deadlines and retries, bodies into raw records, pages into a whole."""
