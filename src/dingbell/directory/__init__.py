"""People and departments: read from DingTalk, kept in the database."""
