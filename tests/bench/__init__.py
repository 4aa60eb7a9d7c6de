"""What the appliance costs, beside nginx and the others: `scripts/bench`."""
