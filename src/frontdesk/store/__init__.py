"""The store: tables and queries, a module per subject. The database is the truth of work."""
