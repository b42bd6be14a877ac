"""Calendars: which days are workdays, what holidays are called, the lunar year."""
