"""Trainings as curves: read from metrics, logs and event files, drawn as SVG, as images, or for a terminal."""
