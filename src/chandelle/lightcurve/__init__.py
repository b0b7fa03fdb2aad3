"""Light curves to SALT parameters: reading and checking, first guess, batched fit, residuals."""
