"""`dingbell.yaml`: read it, show what it would change, make it so."""
