"""Small stories about who is who, told once; checked in the simulated topology and by `journeys run`."""
