"""Effects out: what turns messages into deliveries. Only this package sends."""
