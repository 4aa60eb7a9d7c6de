"""Does a name look like a slip of a known one? Tables of known names, and how alike two names are."""
