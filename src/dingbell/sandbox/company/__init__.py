"""The company: its people, departments, roles and apps."""
