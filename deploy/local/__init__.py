"""`make up` without containers: engines, migrations, services, demo; and their orderly end."""
