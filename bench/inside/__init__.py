"""What plugins cost inside a gateway's process: no socket, no other process, only the way from a read to a write."""
