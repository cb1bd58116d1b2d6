"""Computing on the processor: its threads, oneDNN, machine code of our own."""
