"""Who may come in, and what they may do: identity, limits, policy, audit. Default deny, decided here alone."""
