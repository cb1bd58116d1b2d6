"""Python 2 scripts, translated as they are loaded; names that libraries have dropped."""
