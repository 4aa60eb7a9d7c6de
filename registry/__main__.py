"""`python -m registry` is the `registry` command."""

from registry.cli.main import main

if __name__ == "__main__":
    main()
