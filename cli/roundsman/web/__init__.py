"""The HTTP face: Alertmanager's API, so that its clients can use Roundsman."""
