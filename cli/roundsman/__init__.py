"""Roundsman: makes the rounds of a fleet of Linux hosts."""
