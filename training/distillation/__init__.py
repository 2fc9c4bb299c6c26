"""Teaching a live family by clips that a diffusion model renders: docs/diffusion.md."""
