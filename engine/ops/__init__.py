"""What looks after a show that nobody watches: health, log, priorities, garbage collection, systemd. See docs/service.md."""
