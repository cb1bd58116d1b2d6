"""Reports on nets and weights without running them: figures, plans, differences, filters, the catalogue."""
