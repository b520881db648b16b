"""Rules that decide which ideas a budget pays for, given the stakes of the members."""
