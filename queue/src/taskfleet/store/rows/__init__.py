"""What goes into the queries and what comes out, as values: parameters, rows, and what is wrong with them. Pure: nothing here runs SQL."""
