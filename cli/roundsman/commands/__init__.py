"""click, one file per command group: parse, call, print. What only some commands need is imported inside them."""
