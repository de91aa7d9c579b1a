"""Generated load: which requests come when, from which clients, and which of them are tried again."""
