"""`brew check`: everything that is wrong with nets, solvers and weights, at once."""
