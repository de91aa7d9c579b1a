"""Questions about capacity: scenario files, runs, plans, reports."""
