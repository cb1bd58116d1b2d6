"""Values of what is no picture: sound, tables, time series and text, prepared in one way for training and for use."""
