"""What verbs are made of: options, the log, tables, the live line, signals, errors as the user sees them."""
