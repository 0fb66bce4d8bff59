"""What is published, brought to one scale: base rates, and effects by named conversions."""
