"""The command `tb-attention`."""
