"""What ails a system: observations, the cases that operators know, and the cause and remedy of each."""
