"""Scores of files of detections, tubes, tracks and classes."""
