"""May it pass? Rules, the engine that asks all of them, and the loader that builds it. Pure: `now` is an argument."""
