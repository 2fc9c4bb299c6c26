"""Reads sound and video files as people bring them."""
