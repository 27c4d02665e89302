"""The prediction log: what was asked, what was answered, kept off the request path and shipped to the store.

`entry.Served` and `entry.Outcome` are what a server hands over, `logger.PredictionLogger` takes them,
`reading` gives them back.
"""
