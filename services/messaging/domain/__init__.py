"""Pure rules of messaging: words of a text, consent, lengths, and what becomes of a delivery."""
