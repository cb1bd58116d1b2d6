"""Nets and solvers made from others: for deployment, or in today's format."""
