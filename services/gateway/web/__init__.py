"""What every page shares: templates, texts in two languages, static files."""
