"""Foreign data sets that ``armillary convert`` reads."""
