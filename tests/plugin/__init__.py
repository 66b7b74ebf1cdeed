"""Each feature as pytest shows it, in sessions of their own."""
