"""`brew data check`: everything that is wrong with records."""
