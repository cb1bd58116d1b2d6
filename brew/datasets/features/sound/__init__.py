"""Sound: WAV and other files, rates, log-mel spectrograms, and recordings as records."""
