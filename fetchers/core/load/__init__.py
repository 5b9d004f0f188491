"""The way of a load: plan, fetch, compare, stage, judge, publish."""
