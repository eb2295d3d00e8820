"""From the system description to files of other tools: pure functions, one module for each tool."""
