"""HTTP in: liveness, readiness and metrics of a node, and a page that says so."""
