"""The frozen values everything else is made of."""
