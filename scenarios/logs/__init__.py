"""Recorded files of requests: opened by what they hold, read row by row, their columns found by name or by content."""
