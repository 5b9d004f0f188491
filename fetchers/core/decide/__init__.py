"""What a person decides afterwards: approve what was held, take back what was published."""
