"""What is measured: one scenario per module, alone or on a running stack."""
