"""Pure rules of offers: what an offer may say, and when a chain's app shows it."""
