"""The node: its lease, its queue, its health, and what every stage is handed."""
