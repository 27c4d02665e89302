"""Put the profiles of a table's shards together: the profile of the whole table."""
