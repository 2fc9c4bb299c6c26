"""Graphs that compute in fewer bits: float16 and bfloat16 for graphics cards, int8 for processors.

Each takes a float32 ModelProto and returns a ModelProto with the same inputs and outputs. Front end, norms and states stay
float32 in all of them: features span 80 dB, a norm sums thousands of squares, and a state is carried for hours.
"""
