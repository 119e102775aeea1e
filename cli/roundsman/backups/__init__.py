"""Decisions about backups. Pure: no SQL, no click, no network, no clock."""
