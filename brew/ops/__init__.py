"""Arrays in, arrays out: pieces of arithmetic that several layers share."""
