"""What is known of backups, judged: pure, like alerts and insight."""
