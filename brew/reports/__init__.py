"""What can be told of nets and weights without running them: figures, plans, differences, the catalogue."""
