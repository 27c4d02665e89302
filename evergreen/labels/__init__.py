"""Labels one can trust: missing, conflicting, copied and wrong ones, several labellers, a person's say."""
