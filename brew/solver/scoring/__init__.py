"""What a test says beyond its outputs: accuracy, F1, AUC, IoU, errors of values, from scores and labels."""
