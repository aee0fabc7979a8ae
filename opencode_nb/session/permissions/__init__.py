"""Who answers the agent's requests: rules, approvals, callables, and a person at the console."""
