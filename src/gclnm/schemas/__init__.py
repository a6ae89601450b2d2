"""What every table between two steps looks like: checked here, published as JSON Schema."""
