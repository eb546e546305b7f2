"""Pure functions of one frame or one batch: arrays in, arrays out."""
