"""What the agent may call in this process, the gate that all data passes on its way out, and the record of it."""
