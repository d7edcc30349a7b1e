"""DHCP, TFTP and NBD: adapters, supervision, control."""
