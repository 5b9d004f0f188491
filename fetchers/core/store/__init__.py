"""The destination: how it is opened, its tables and books, and what is kept in step beside the rows."""
