"""What different rules of decision would select in a campaign."""
