"""The control side of a served workspace, under `/_akstwin/`: time, faults, journal, metrics, events, the live page."""
