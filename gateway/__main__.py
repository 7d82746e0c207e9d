"""`python -m gateway`, for where the command is not on the path."""

from gateway.cli import main

main(prog_name="gateway")
