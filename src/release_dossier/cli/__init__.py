"""The command line: one lazy command or group per file, every effect of the edge (clock, terminal, environment) in `edge`."""
