"""Models on OpenAI-compatible servers: conversations, requests, limits, budgets."""
