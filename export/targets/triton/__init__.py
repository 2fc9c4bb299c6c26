"""What NVIDIA's Triton Inference Server needs to serve a model file."""
