"""Graphs that compute in fewer bits: float16 and bfloat16 for graphics cards, int8 for processors.

A float32 ModelProto goes in, a ModelProto with the same inputs and outputs comes out. Front end, norms and states stay
float32 in all of them: features span 80 dB, a norm sums thousands of squares, and a state is carried for hours.
"""
