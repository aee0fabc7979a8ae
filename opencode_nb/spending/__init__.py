"""What turns spend: budgets that stop them, and the record of all costs on disk."""
