"""Disks: three kinds behind one port."""
