"""The project file that `init` writes when it has no data to look at."""

TEMPLATE = """\
# A project file to fill in: whether a household redeems a coupon that it is offered, from three tables.
# Put your own paths and columns in their place, then: evergreen check project.yaml
# (With a table at hand, `evergreen init DIR --data FILE --label COLUMN` writes a file that runs as it is.)
# docs/project-file.md explains every field.
version: 1
name: my-project

# Why the model exists. People read it, and the report does.
scoping:
  problem: What goes wrong today, and for whom
  users: Who acts on the predictions, and how
  topline_metric: The number that the business looks at
  label_metric: The number that this model is measured by
  relation: Why the second moves the first

# The tables: CSV, JSON lines, Parquet or Delta, local (from this file's folder), s3:// or gs://.
sources:
  offers:
    path: data/offers.csv
    time: offered_at # when the row was known
  purchases:
    path: data/purchases/*.parquet # or day={YYYY}-{MM}-{DD}/*.parquet, with `last: 90` for the newest 90 days
    time: bought_at
    delay: 1d # rows arrive a day late: features never look at what was not there yet
  households: # without `time`: constants of the entity
    path: data/households.csv

# Whom a row is about, and as of when it asks. No feature is ever later than that.
entity: household_id
time: offered_at

label:
  source: offers
  column: redeemed
  maturity: 30d # the label is final after this; younger rows stay out of training
task: auto # or binary, multiclass, regression, ranking

features:
  - name: offer
    source: offers # the label's own source: columns of its row
    columns: [campaign_type, discount]
  - name: spending
    source: purchases # another source with time: computed over the rows known at the label's time
    aggregates:
      - {column: amount, functions: [sum, mean], windows: [7d, 30d]}
      - functions: [recency]
  - name: household
    source: households
    columns: "*"

# What happens to values that do not fit: fail, missing or drop.
repair:
  purchases:
    amount: {type: number, invalid: missing}

split:
  method: time # the newest rows are the test set; or entity, stratified, auto
  refuse: [future]

model:
  estimator: auto # gradient boosting; or an import path such as sklearn.linear_model.LogisticRegression

# Where the model might be worse than on the whole.
slices:
  - column: campaign_type

# What stops a run: `fail` stops, `warn` reports, `off` records only.
gates:
  model:
    mode: fail
    thresholds:
      - {metric: roc_auc, min: 0.5}
    changes:
      - {metric: roc_auc, max_loss: 0.02} # against the model in production, on the same rows
"""
