"""Verbs: state, event and time in; state and actions out. No I/O, no clock, no chance; cores do not import each other."""
