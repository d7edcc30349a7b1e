"""The initramfs of our own: built from the distribution's packages, without root."""
