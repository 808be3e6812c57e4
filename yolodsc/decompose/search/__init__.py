"""Choice of form and rank for each layer under a budget."""
