"""Nouns: frozen values, units and life cycles. Nothing here changes over time or does I/O."""
