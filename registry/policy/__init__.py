"""May it pass? Rules, the engine that asks all of them, and the loader. Pure: `now` is an argument."""
