"""What data planes have in common: requests, containers and their replies, driven by a schedule."""
