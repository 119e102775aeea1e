"""The only room that knows SQL. Functions take an open Transaction; what they do together commits together."""

from .database import Store, StoreError, Transaction, apart

__all__ = ["Store", "StoreError", "Transaction", "apart"]
