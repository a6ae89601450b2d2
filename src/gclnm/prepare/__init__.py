"""From a harmonised volume and a mask on its own grid to what features are computed on."""
