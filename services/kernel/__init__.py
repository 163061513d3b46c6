"""What every service may know: days, counts. Pure standard library."""
