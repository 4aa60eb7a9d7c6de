"""The parts under one roof: what `./scripts/run` starts, watches and stops. Nothing here answers requests."""
