"""Operation of an unattended show: supervisor, health, log, priority, gc schedule, systemd, calibration. See docs/service.md."""
