"""The embedded PostgreSQL: started, attached to, stopped, backed up."""
