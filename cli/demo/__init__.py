"""An invented company's campaigns, told through the same services and ledger as everybody's."""
