"""The words the rest is written in: values and ports, no behaviour that waits, reads or writes.

Values are frozen `msgspec.Struct`s (immutable, compared by value, an order of magnitude cheaper to make
than frozen dataclasses, which counts for a packument of 4,000 versions). Times are aware UTC datetimes.
"""
