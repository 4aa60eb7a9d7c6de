"""A private package registry appliance: one gateway before pypiserver and Verdaccio."""

__version__ = "0.1.0"
