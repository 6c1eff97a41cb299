"""Scripts of commits, transactions, savepoints and failures, made at random and compared with a plain model."""
