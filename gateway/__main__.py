"""The command `gateway`; `python -m gateway` where that is not on the path."""

import sys


def main() -> None:
    """Run the command line. Loading it takes a moment, and whoever interrupts that has interrupted the command."""
    try:
        from gateway.cli import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run(prog_name="gateway")


if __name__ == "__main__":
    main()
