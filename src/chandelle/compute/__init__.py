"""Where work runs: tasks, receipts, engines, clients, resources."""
