"""Lets the supervisor start `python -m headrace_cli` without a console script on the path."""

from headrace_cli.start import main

if __name__ == "__main__":
    main()
